# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The process or processes of a training, managed by Lightning Fabric."""

from __future__ import annotations

import os
from typing import cast

from lightning_fabric import Fabric
from torch import Tensor


def launch(precision: str, accelerator: str = 'auto') -> Fabric:
    """Join the processes that torchrun started, or run as a single process."""
    processes = int(os.environ.get('WORLD_SIZE', '1'))
    here = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=max(processes // here, 1),
        strategy='ddp' if processes > 1 else 'auto',
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


class Reduction:
    """Sums and maxima over the processes of a Fabric (None: one process), without gradient."""

    def __init__(self, fabric: Fabric | None = None) -> None:
        self._fabric = fabric
        self.processes: int = fabric.world_size if fabric else 1

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum over the processes."""
        return self._reduce(value, 'sum')

    def max(self, value: Tensor) -> Tensor:
        """Return the maximum over the processes."""
        return self._reduce(value, 'max')

    def _reduce(self, value: Tensor, operation: str) -> Tensor:
        if self._fabric is None:
            return value
        # Fabric reduces in place, so give it a copy.
        return cast('Tensor', self._fabric.all_reduce(value.clone(), reduce_op=operation))


def weighted_mean(losses: Tensor, weights: Tensor, reduction: Reduction) -> Tensor:
    """
    Return this process's part of the weighted mean of per-pixel losses; 0 if all weights are 0.

    The mean of these parts over the processes is the weighted mean over the pixels of all
    processes. The weights have the shape of the losses, and are 0 for pixels without annotation.
    """
    total = reduction.sum(weights.sum().detach())
    return reduction.processes * (losses * weights).sum() / total.clamp(min=1e-12)
