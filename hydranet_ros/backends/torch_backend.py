# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The deployed graph on PyTorch: any CPU, and CUDA."""

from __future__ import annotations

from collections.abc import Sequence
import time
from typing import Any
import warnings

import numpy as np
from numpy.typing import NDArray
import torch

from hydranet_ros.bundle import Bundle
from hydranet_ros.errors import HydranetError
from hydranet_ros.pipeline import DeployedGraph

_DTYPES = {'float32': torch.float32, 'float16': torch.float16}


class TorchBackend:
    """See :class:`hydranet_ros.backends.Backend`."""

    name = 'torch'

    def __init__(self, graph: DeployedGraph, device: torch.device, precision: str) -> None:
        self.device = str(device)
        self.precision = precision
        self.fields = graph.fields
        self._device = device
        graph = graph.to(device=device, dtype=_DTYPES[precision]).eval()
        self._graph = graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def run(
        self, image: NDArray[np.uint8], length_scale: float
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """See :meth:`hydranet_ros.backends.Backend.run`."""
        begin = time.perf_counter()
        uploaded = _view(image).to(self._device)
        scale = torch.tensor(length_scale, dtype=torch.float32, device=self._device)
        self._synchronize()
        ready = time.perf_counter()
        tensors = self._graph(uploaded, scale)
        self._synchronize()
        done = time.perf_counter()
        outputs = {
            field: tensor.cpu().contiguous().numpy()
            for field, tensor in zip(self.fields, tensors, strict=True)
        }
        end = time.perf_counter()
        return outputs, {'upload': ready - begin, 'forward': done - ready, 'download': end - done}

    def close(self) -> None:
        """See :meth:`hydranet_ros.backends.Backend.close`."""
        del self._graph
        if self._device.type == 'cuda':
            torch.cuda.empty_cache()

    def _synchronize(self) -> None:
        if self._device.type == 'cuda':
            torch.cuda.synchronize(self._device)


def _view(image: NDArray[np.uint8]) -> torch.Tensor:
    with warnings.catch_warnings():
        # A view of a received message is read-only, and the graph does not write to it.
        warnings.filterwarnings('ignore', message='The given NumPy array is not writable')
        return torch.from_numpy(image)


def _choose_device(name: str) -> torch.device:
    if name == 'auto':
        return torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise HydranetError(f'There is no device {name!r}; use auto, cpu or cuda:0.') from error
    if device.type not in ('cpu', 'cuda'):
        raise HydranetError(f'The torch backend runs on cpu or cuda, not on {name!r}.')
    if device.type == 'cuda' and (device.index or 0) >= torch.cuda.device_count():
        raise HydranetError(
            f'Device {name!r} is not there: torch {torch.__version__} sees '
            f'{torch.cuda.device_count()} CUDA devices; use device auto or cpu.'
        )
    return device


def open_backend(
    bundle: Bundle,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> TorchBackend:
    """
    Load a model; see :func:`hydranet_ros.backends.open_backend`.

    ``auto`` is float16 on CUDA and float32 on a CPU, which has no fast float16.
    """
    chosen = _choose_device(device)
    if precision == 'auto':
        precision = 'float16' if chosen.type == 'cuda' else 'float32'
    return TorchBackend(DeployedGraph(bundle, label_set, fields), chosen, precision)
