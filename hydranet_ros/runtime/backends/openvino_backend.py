# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The deployed graph on OpenVINO: any CPU, and Intel's GPUs and NPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import openvino

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.runtime.cache import BySize, cache_directory, cached_file, graph_key

_HINTS = {'float32': 'f32', 'bfloat16': 'bf16', 'float16': 'f16'}


class OpenVinoBackend:
    """See :class:`hydranet_ros.runtime.backends.Backend`."""

    name = 'openvino'

    def __init__(
        self, model: Any, fields: tuple[str, ...], device: str, precision: str, hint: str
    ) -> None:
        self.device = device
        self.precision = precision
        self.fields = fields
        self._core = openvino.Core()
        cache = cache_directory()
        if cache is not None:
            self._core.set_property({'CACHE_DIR': str(cache)})
        self._model = model
        self._configuration = {
            'INFERENCE_PRECISION_HINT': hint,
            'PERFORMANCE_HINT': 'LATENCY',
            'NUM_STREAMS': '1',
        }
        self._requests: BySize[Any] = BySize(self._compile)

    def run(
        self, image: NDArray[np.uint8], length_scale: float
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        request = self._requests(*image.shape[:2])
        begin = time.perf_counter()
        scale = np.array(length_scale, np.float32)
        ready = time.perf_counter()
        request.infer([image, scale], share_inputs=True, share_outputs=True)
        done = time.perf_counter()
        # Copy, because the next frame is written to the same memory.
        outputs = {
            field: request.get_output_tensor(index).data.copy()
            for index, field in enumerate(self.fields)
        }
        end = time.perf_counter()
        return outputs, {'upload': ready - begin, 'forward': done - ready, 'download': end - done}

    def close(self) -> None:
        self._requests.clear()
        self._model = None

    def _compile(self, height: int, width: int) -> Any:
        """Compile the model for one image size: the runtime optimises fixed shapes better."""
        model = self._model.clone()
        port = model.input(0)
        if port.partial_shape.is_dynamic:
            model.reshape({port: openvino.PartialShape([height, width, 3])})
        try:
            compiled = self._core.compile_model(model, self.device.upper(), self._configuration)
        except RuntimeError as error:
            raise HydranetError(
                f'OpenVINO cannot compile the model for device {self.device!r}: '
                f'{str(error).strip().splitlines()[-1]}'
            ) from error
        return compiled.create_infer_request()


def open_backend(
    model: Bundle | ExportedModel,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> OpenVinoBackend:
    """
    Load a model; see :func:`hydranet_ros.runtime.backends.open_backend`.

    The precision ``auto`` is bfloat16 on CPUs that multiply bfloat16 faster than float32 (AMX, or
    AMD since Zen 4), float32 on other CPUs, and float16 on a GPU or NPU.
    """
    chosen = _choose_device(device)
    if isinstance(model, ExportedModel):
        graph, names = openvino.Core().read_model(model.path), model.fields
    else:
        graph, names = _convert(model, label_set, fields)
    quantised = isinstance(model, ExportedModel) and model.precision == 'int8'
    # Some parts of a quantised graph stay in floating point and need a precision.
    arithmetic = _best_precision(chosen) if precision in ('auto', 'int8') else precision
    return OpenVinoBackend(
        graph, names, chosen, 'int8' if quantised else arithmetic, _HINTS[arithmetic]
    )


def _convert(
    bundle: Bundle, label_set: str | None, fields: Sequence[str] | None
) -> tuple[Any, tuple[str, ...]]:
    """Return the bundle's graph; if it is not in the cache, converting it needs torch."""

    def write(path: Path) -> None:
        openvino.save_model(_convert_now(bundle, label_set, fields), path, compress_to_fp16=False)

    key = graph_key(bundle, label_set, fields, f'openvino {openvino.__version__}')
    path = cached_file(f'{key}.xml', write)
    if path is None:
        graph = _convert_now(bundle, label_set, fields)
    else:
        graph = openvino.Core().read_model(path)
    return graph, tuple(port.get_any_name() for port in graph.outputs)


def _convert_now(bundle: Bundle, label_set: str | None, fields: Sequence[str] | None) -> Any:
    from hydranet_ros.model.deployed_graph import DeployedGraph
    from hydranet_ros.model.export import to_openvino

    return to_openvino(DeployedGraph(bundle, label_set, fields))


def _choose_device(name: str) -> str:
    available = [device.lower() for device in openvino.Core().available_devices]
    chosen = 'cpu' if name == 'auto' else name.lower()
    if chosen not in available and f'{chosen}.0' not in available:
        raise HydranetError(
            f'Device {name!r} is not available: OpenVINO {openvino.__version__} sees '
            f'{", ".join(available) or "none"}.'
        )
    return chosen


def _best_precision(device: str) -> str:
    if device != 'cpu':
        return 'float16'
    try:
        return 'bfloat16' if is_fast_in_bfloat16(Path('/proc/cpuinfo').read_text()) else 'float32'
    except OSError:
        return 'float32'


def is_fast_in_bfloat16(cpuinfo: str) -> bool:
    """
    Return whether a processor multiplies bfloat16 faster than float32, from ``/proc/cpuinfo``.

    With AMX, bfloat16 is much faster. With AVX512-BF16 only, it is twice as fast on AMD and no
    faster on Intel, as measured in docs/experiments/performance.md.
    """
    return ' amx_bf16' in cpuinfo or ('AuthenticAMD' in cpuinfo and ' avx512_bf16' in cpuinfo)
