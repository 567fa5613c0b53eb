# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The deployed graph on PyTorch: any CPU, and CUDA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import time
from typing import Any
import warnings

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.deployed_graph import DeployedGraph
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.runtime.cache import BySize

_DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
}
_WARM_UP_RUNS = 3

Graph = Callable[[Tensor, Tensor], tuple[Tensor, ...]]


class TorchBackend:
    """The graph on a CPU; see :class:`hydranet_ros.runtime.backends.Backend`."""

    def __init__(self, name: str, graph: Graph, fields: tuple[str, ...], precision: str) -> None:
        self.name = name
        self.device = 'cpu'
        self.precision = precision
        self.fields = fields
        self._graph: Graph | None = graph

    @torch.inference_mode()
    def run(
        self, image: NDArray[np.uint8], length_scale: float
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        assert self._graph is not None
        begin = time.perf_counter()
        tensors = self._graph(_view(image), torch.tensor(length_scale))
        done = time.perf_counter()
        outputs = {
            field: tensor.contiguous().numpy()
            for field, tensor in zip(self.fields, tensors, strict=True)
        }
        end = time.perf_counter()
        return outputs, {'upload': 0.0, 'forward': done - begin, 'download': end - done}

    def close(self) -> None:
        self._graph = None


class CudaBackend:
    """
    The graph on an NVIDIA GPU; see :class:`hydranet_ros.runtime.backends.Backend`.

    The operations for one image size are recorded once as a CUDA graph and replayed for each
    frame, so that the CPU launches one graph instead of about 400 operations. Copies to and from
    the device use page-locked buffers on the same stream.
    """

    def __init__(
        self,
        name: str,
        graph: Graph,
        fields: tuple[str, ...],
        precision: str,
        device: torch.device,
    ) -> None:
        self.name = name
        self.device = str(device)
        self.precision = precision
        self.fields = fields
        self._device = device
        self._graph: Graph | None = graph
        self._stream = torch.cuda.Stream(device)
        self._recordings: BySize[_Recording] = BySize(self._record)

    @torch.inference_mode()
    def run(
        self, image: NDArray[np.uint8], length_scale: float
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        recording = self._recordings(*image.shape[:2])
        begin = time.perf_counter()
        with torch.cuda.stream(self._stream):
            recording.pinned_image.copy_(_view(image))
            recording.image.copy_(recording.pinned_image, non_blocking=True)
            recording.length_scale.fill_(length_scale)
            self._stream.synchronize()
            ready = time.perf_counter()
            recording.graph.replay()
            self._stream.synchronize()
            done = time.perf_counter()
            for pinned, tensor in zip(recording.pinned_outputs, recording.outputs, strict=True):
                pinned.copy_(tensor, non_blocking=True)
            self._stream.synchronize()
        # Copy, because the next frame is written to the same buffers.
        outputs = {
            field: pinned.numpy().copy()
            for field, pinned in zip(self.fields, recording.pinned_outputs, strict=True)
        }
        end = time.perf_counter()
        return outputs, {'upload': ready - begin, 'forward': done - ready, 'download': end - done}

    def close(self) -> None:
        self._recordings.clear()
        self._graph = None
        torch.cuda.empty_cache()

    def _record(self, height: int, width: int) -> _Recording:
        assert self._graph is not None
        image = torch.zeros(height, width, 3, dtype=torch.uint8, device=self._device)
        length_scale = torch.ones((), device=self._device)
        # Libraries choose kernels and allocate workspace in their first runs.
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP_RUNS):
                self._graph(image, length_scale)
        self._stream.synchronize()
        recorded = torch.cuda.CUDAGraph()
        # Thread-local: another thread may run another graph meanwhile.
        with torch.cuda.graph(recorded, stream=self._stream, capture_error_mode='thread_local'):
            outputs = tuple(tensor.contiguous() for tensor in self._graph(image, length_scale))
        return _Recording(recorded, image, length_scale, outputs)


class _Recording:
    """A CUDA graph for one image size, with its inputs, outputs and page-locked buffers."""

    def __init__(
        self,
        graph: torch.cuda.CUDAGraph,
        image: Tensor,
        length_scale: Tensor,
        outputs: tuple[Tensor, ...],
    ) -> None:
        self.graph = graph
        self.image = image
        self.length_scale = length_scale
        self.outputs = outputs
        self.pinned_image = torch.empty(image.shape, dtype=image.dtype, pin_memory=True)
        self.pinned_outputs = [
            torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in outputs
        ]


def _view(image: NDArray[np.uint8]) -> Tensor:
    with warnings.catch_warnings():
        # A received message is read-only, but the graph does not write to it.
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
            f'Device {name!r} is not available: torch {torch.__version__} sees '
            f'{torch.cuda.device_count()} CUDA devices; use device auto or cpu.'
        )
    return device


def make_graph(
    bundle: Bundle,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> tuple[torch.device, str, DeployedGraph]:
    """
    Move a model's graph to a device, in a precision and in the device's best memory layout.

    Returns device, precision and graph; ``auto`` is replaced by the chosen device or precision.
    """
    chosen = _choose_device(device)
    on_cuda = chosen.type == 'cuda'
    if precision == 'auto':
        precision = 'float16' if on_cuda else 'float32'
    # A GPU is faster with few large operations, a CPU with operations that fit its cache.
    graph = DeployedGraph(bundle, label_set, fields, slices=1 if on_cuda else 4)
    graph = graph.to(device=chosen, dtype=_DTYPES[precision]).eval()
    graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return chosen, precision, graph


def _load(model: ExportedModel) -> Graph:
    """Load an exported graph, which runs on the CPU only."""
    if model.format == 'torch-export':
        return torch.export.load(str(model.path)).module()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        scripted: Graph = torch.jit.load(str(model.path), map_location='cpu')
    return scripted


def open_backend(
    model: Bundle | ExportedModel,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> TorchBackend | CudaBackend:
    """
    Load a model; see :func:`hydranet_ros.runtime.backends.open_backend`.

    The precision ``auto`` is float16 on CUDA and float32 on a CPU. Exported graphs run on a CPU in
    float32.
    """
    if isinstance(model, ExportedModel):
        if device not in ('auto', 'cpu') or precision not in ('auto', 'float32'):
            raise HydranetError(
                f'{model.path} runs on the CPU in float32 only; use the model it was exported '
                'from.'
            )
        return TorchBackend('torch', _load(model), model.fields, 'float32')
    chosen, precision, graph = make_graph(
        model, device=device, precision=precision, label_set=label_set, fields=fields
    )
    return wrap('torch', graph, graph.fields, precision, chosen)


def wrap(
    name: str, graph: Graph, fields: tuple[str, ...], precision: str, device: torch.device
) -> TorchBackend | CudaBackend:
    """Return the backend that runs a graph on its device."""
    if device.type == 'cuda':
        return CudaBackend(name, graph, fields, precision, device)
    return TorchBackend(name, graph, fields, precision)
