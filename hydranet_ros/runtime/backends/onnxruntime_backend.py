# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The deployed graph on ONNX Runtime: any CPU, and NVIDIA GPUs through CUDA or TensorRT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import tempfile
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnxruntime

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.runtime.cache import BySize, cache_directory, cached_file, graph_key

_ERRORS_ONLY = 3


class OnnxRuntimeBackend:
    """See :class:`hydranet_ros.runtime.backends.Backend`."""

    name = 'onnxruntime'

    def __init__(
        self, model: Path | bytes, device: str, precision: str, providers: Sequence[Any]
    ) -> None:
        self.device = device
        self.precision = precision
        self._model = str(model) if isinstance(model, Path) else model
        self._providers = list(providers)
        self._sessions: BySize[Any] = BySize(self._compile)
        described = onnxruntime.InferenceSession(
            self._model, _options(), providers=['CPUExecutionProvider']
        )
        self.fields = tuple(output.name for output in described.get_outputs())
        # ONNX drops unused inputs: a graph without depth has no length_scale.
        self._inputs = frozenset(given.name for given in described.get_inputs())

    def run(
        self, image: NDArray[np.uint8], length_scale: float
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """See :meth:`.Backend.run`; copies to and from the device are part of ``forward``."""
        session = self._sessions(*image.shape[:2])
        begin = time.perf_counter()
        scale = np.array(length_scale, np.float32)
        ready = time.perf_counter()
        given = {'image': image, 'length_scale': scale}
        arrays = session.run(None, {name: given[name] for name in self._inputs})
        done = time.perf_counter()
        outputs = dict(zip(self.fields, arrays, strict=True))
        return outputs, {'upload': ready - begin, 'forward': done - ready, 'download': 0.0}

    def close(self) -> None:
        self._sessions.clear()

    def _compile(self, height: int, width: int) -> Any:
        """Load the model for one image size: the runtime optimises fixed shapes better."""
        options = _options()
        options.add_free_dimension_override_by_name('height', height)
        options.add_free_dimension_override_by_name('width', width)
        return onnxruntime.InferenceSession(self._model, options, providers=self._providers)


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between frames would waste CPU time.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


def open_backend(
    model: Bundle | ExportedModel,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> OnnxRuntimeBackend:
    """
    Load a model; see :func:`hydranet_ros.runtime.backends.open_backend`.

    The precision ``auto`` is float16 on CUDA if TensorRT is installed, which then chooses the
    precision of each layer; otherwise it is float32.
    """
    providers = _providers(device, precision)
    name = 'cpu' if providers[-1:] == providers else device
    if isinstance(model, ExportedModel):
        source: Path | bytes = model.path
    else:
        source = _convert(model, label_set, fields)
    uses_float16 = any(
        isinstance(provider, tuple) and provider[1].get('trt_fp16_enable')
        for provider in providers
    )
    return OnnxRuntimeBackend(source, name, 'float16' if uses_float16 else 'float32', providers)


def _providers(device: str, precision: str) -> list[Any]:
    """Return ONNX Runtime's execution providers for a device, in order of preference."""
    available = onnxruntime.get_available_providers()
    kind, _, index = device.partition(':')
    if kind in ('auto', 'cpu'):
        if precision == 'float16':
            raise HydranetError('ONNX Runtime has no float16 on a CPU; choose float32.')
        return ['CPUExecutionProvider']
    if 'CUDAExecutionProvider' not in available:
        raise HydranetError(
            f'Device {device!r} is not available: this ONNX Runtime {onnxruntime.__version__} was '
            'built without CUDA; install onnxruntime-gpu or use device cpu.'
        )
    number = int(index or 0)
    providers: list[Any] = [('CUDAExecutionProvider', {'device_id': number})]
    if 'TensorrtExecutionProvider' in available and precision != 'float32':
        tensorrt: dict[str, Any] = {'device_id': number, 'trt_fp16_enable': True}
        cache = cache_directory()
        if cache is not None:
            tensorrt |= {
                'trt_engine_cache_enable': True,
                'trt_engine_cache_path': str(cache),
                'trt_timing_cache_enable': True,
            }
        providers.insert(0, ('TensorrtExecutionProvider', tensorrt))
    elif precision == 'float16':
        raise HydranetError(
            'ONNX Runtime needs TensorRT for float16; install it or choose float32.'
        )
    return [*providers, 'CPUExecutionProvider']


def _convert(bundle: Bundle, label_set: str | None, fields: Sequence[str] | None) -> Path | bytes:
    """Return the bundle's graph as ONNX; if it is not in the cache, converting it needs torch."""

    def write(path: Path) -> None:
        from hydranet_ros.model.deployed_graph import DeployedGraph
        from hydranet_ros.model.export import export_graph

        graph = DeployedGraph(bundle, label_set, fields)
        export_graph(graph, graph.exported(path, 'onnx'))

    name = f'{graph_key(bundle, label_set, fields, "onnx")}.onnx'
    path = cached_file(name, write)
    if path is not None:
        return path
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()
