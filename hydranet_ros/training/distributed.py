# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The processes of a training, one or many, as Lightning Fabric sees them."""

from __future__ import annotations

import os
from typing import cast

from lightning_fabric import Fabric
from torch import Tensor


def launch(precision: str, accelerator: str = 'auto') -> Fabric:
    """
    Join the processes that torchrun started, or be the only one.

    Parameters
    ----------
    precision, accelerator
        As Fabric has them.

    """
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


class ProcessGroup:
    """The reduction over the processes that Fabric has launched."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.processes = fabric.world_size

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum over the processes; Fabric would put it in place of the value."""
        return cast('Tensor', self._fabric.all_reduce(value.clone(), reduce_op='sum'))

    def max(self, value: Tensor) -> Tensor:
        """Return the maximum over the processes."""
        return cast('Tensor', self._fabric.all_reduce(value.clone(), reduce_op='max'))
