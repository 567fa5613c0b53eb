# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Export the deployed graph to file formats of several runtimes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
import warnings

import torch

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import METADATA_KEY
from hydranet_ros.model.deployed_graph import DeployedGraph
from hydranet_ros.model.exported_model import ExportedModel, FORMAT_OF_SUFFIX

INPUTS = ('image', 'length_scale')
"""Names of the graph's inputs; its outputs are named after the prediction's fields."""
_TRACED_SIZE = (64, 96)
# torch.export keeps a size dynamic only if no level of the network shrinks to one cell.
_OPEN_SIZES = {'min': 33, 'max': 8192}
_AXES = {0: 'height', 1: 'width'}
_ONNX_OPSET = 17


def export_graph(graph: DeployedGraph, model: ExportedModel) -> None:
    """Write a graph to ``model.path`` in ``model.format``."""
    if FORMAT_OF_SUFFIX.get(model.path.suffix) != model.format:
        suffix = next(key for key, value in FORMAT_OF_SUFFIX.items() if value == model.format)
        raise HydranetError(f'A {model.format} file must end in {suffix}: {model.path}.')
    try:
        model.path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[model.format](graph.eval(), model)
    except ModuleNotFoundError as error:
        raise HydranetError(
            f'Export to {model.format} needs the Python package {error.name}; install it.'
        ) from error
    except OSError as error:
        raise HydranetError(f'Cannot write {model.path}: {error.strerror or error}.') from error


def to_openvino(graph: DeployedGraph, size: tuple[int, int] | None = None) -> Any:
    """Return the graph as an ``openvino.Model``, for one (height, width) or for any size."""
    import openvino

    height, width = size or (-1, -1)
    converted = openvino.convert_model(
        _trace(graph, size),
        example_input=_example(size),
        input=[openvino.PartialShape([height, width, 3]), openvino.PartialShape([])],
    )
    for port, name in zip(converted.inputs, INPUTS, strict=True):
        port.get_tensor().set_names({name})
    for port, name in zip(converted.outputs, graph.fields, strict=True):
        port.get_tensor().set_names({name})
    return converted


@torch.no_grad()
def _trace(graph: DeployedGraph, size: tuple[int, int] | None) -> torch.jit.ScriptModule:
    with _without_deprecations():
        traced: torch.jit.ScriptModule = torch.jit.trace(graph, _example(size), check_trace=False)
    return traced


@contextmanager
def _without_deprecations() -> Iterator[None]:
    """Silence the warnings of tracing, which is deprecated but works with every converter."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        warnings.filterwarnings('ignore', message='Constant folding')
        yield


def _example(size: tuple[int, int] | None) -> tuple[torch.Tensor, torch.Tensor]:
    height, width = size or _TRACED_SIZE
    return torch.zeros(height, width, 3, dtype=torch.uint8), torch.tensor(1.0)


def _write_openvino(graph: DeployedGraph, model: ExportedModel) -> None:
    import openvino

    converted = to_openvino(graph, model.size)
    converted.set_rt_info(model.to_json(), [METADATA_KEY])
    openvino.save_model(converted, model.path, compress_to_fp16=False)


def _write_onnx(graph: DeployedGraph, model: ExportedModel) -> None:
    import onnx

    axes = {} if model.size else dict.fromkeys(('image', *graph.fields), _AXES)
    # dynamo=False, because the newer exporter takes 15 times as long for the same graph.
    with _without_deprecations():
        torch.onnx.export(
            graph,
            _example(model.size),
            str(model.path),
            input_names=list(INPUTS),
            output_names=list(graph.fields),
            dynamic_axes=axes,
            opset_version=_ONNX_OPSET,
            dynamo=False,
        )
    written = onnx.load(model.path)
    onnx.helper.set_model_props(written, {METADATA_KEY: model.to_json()})
    onnx.checker.check_model(written)
    onnx.save(written, model.path)


def _write_torchscript(graph: DeployedGraph, model: ExportedModel) -> None:
    with _without_deprecations():
        traced = torch.jit.freeze(_trace(graph, model.size).eval())
        torch.jit.save(traced, str(model.path), _extra_files={METADATA_KEY: model.to_json()})


def _write_torch_export(graph: DeployedGraph, model: ExportedModel) -> None:
    shapes: tuple[Any, Any] | None = None
    if model.size is None:
        sides = {axis: torch.export.Dim(name, **_OPEN_SIZES) for axis, name in _AXES.items()}
        shapes = (sides, None)
    program = torch.export.export(
        graph,
        _example(model.size),
        dynamic_shapes=shapes,
        # torch.export cannot prove its assumptions about sizes; the graph checks them when run.
        prefer_deferred_runtime_asserts_over_guards=True,
    )
    torch.export.save(program, model.path, extra_files={METADATA_KEY: model.to_json()})


_WRITERS: Mapping[str, Callable[[DeployedGraph, ExportedModel], None]] = {
    'onnx': _write_onnx,
    'openvino': _write_openvino,
    'torchscript': _write_torchscript,
    'torch-export': _write_torch_export,
}
FORMATS = tuple(_WRITERS)
