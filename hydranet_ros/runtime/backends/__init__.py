# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The runtimes for the deployed graph, one module each, with a common interface.

A runtime's module is imported only if the runtime is chosen, so the packages of the other runtimes
are not needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
import os
from pathlib import Path
from typing import Any

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.runtime.backends.base import Backend
from hydranet_ros.runtime.backends.choice import choose, VARIABLE


@dataclass(frozen=True)
class Runtime:
    """The capabilities of a runtime."""

    module: str  # module of this package
    package: str  # the Python package it needs
    precisions: tuple[str, ...]
    formats: tuple[str, ...]  # of exported graphs
    devices: tuple[str, ...]  # kinds of devices, as in DEVICES
    converter: str = ''  # package needed, besides torch, to convert a bundle
    rank: int | None = None
    """
    On a CPU, ``auto`` chooses the installed runtime with the lowest rank; if several have this
    rank, it measures them. It never chooses a runtime with rank None.
    """


RUNTIMES: Mapping[str, Runtime] = {
    'openvino': Runtime(
        'hydranet_ros.runtime.backends.openvino_backend',
        'openvino',
        ('float32', 'bfloat16', 'float16', 'int8'),
        ('openvino', 'onnx'),
        ('cpu', 'gpu', 'npu'),
        rank=0,
    ),
    'onnxruntime': Runtime(
        'hydranet_ros.runtime.backends.onnxruntime_backend',
        'onnxruntime',
        ('float32', 'float16'),
        ('onnx',),
        ('cpu', 'cuda'),
        converter='onnx',
        rank=0,
    ),
    'torch': Runtime(
        'hydranet_ros.runtime.backends.torch_backend',
        'torch',
        ('float32', 'bfloat16', 'float16'),
        ('torchscript', 'torch-export'),
        ('cpu', 'cuda'),
        rank=1,
    ),
    'torch-compile': Runtime(
        'hydranet_ros.runtime.backends.torch_compile_backend',
        'torch',
        ('float32', 'bfloat16', 'float16'),
        (),
        ('cpu', 'cuda'),
    ),
}
"""In order of preference on a CPU, as measured in docs/experiments/performance.md."""
USUAL_SIZE = (480, 640)
"""Height and width for the comparison of runtimes, if the model takes any image size."""
DEVICES = ('cpu', 'cuda', 'gpu', 'npu')
"""Kinds of devices; ``gpu`` and ``npu`` are OpenVINO's names for Intel devices."""


def open_backend(
    model: Bundle | ExportedModel,
    *,
    backend: str = 'auto',
    device: str = 'auto',
    precision: str = 'auto',
    label_set: str | None = None,
    fields: Sequence[str] | None = None,
) -> Backend:
    """
    Load a model into a runtime.

    Parameters
    ----------
    backend
        A name of ``RUNTIMES``, or ``auto``.
    device
        ``auto`` (a CUDA device if torch sees one, else the CPU), ``cpu``, ``cuda``, ``cuda:N``,
        ``gpu``, ``gpu.N`` or ``npu``.
    precision
        ``auto``, or a precision of the runtime.
    label_set, fields
        As for :class:`~hydranet_ros.model.deployed_graph.DeployedGraph`; for an exported graph
        these are fixed.

    """
    if backend not in ('auto', *RUNTIMES):
        raise HydranetError(
            f'There is no backend {backend!r}; known are auto, {", ".join(RUNTIMES)}.'
        )
    known = {name for runtime in RUNTIMES.values() for name in runtime.precisions}
    if precision not in ('auto', *known):
        raise HydranetError(
            f'There is no precision {precision!r}; known are auto, {", ".join(sorted(known))}.'
        )
    if isinstance(model, ExportedModel):
        _check_export(model, precision, label_set, fields)
    elif precision == 'int8':
        raise HydranetError('int8 needs a quantised model: make one with `hydranet quantize`.')
    options = {
        'device': device,
        'precision': precision,
        'label_set': label_set,
        'fields': fields,
    }
    name = _choose_runtime(model, options) if backend == 'auto' else backend
    return _open(name, model, options)


def _open(name: str, model: Bundle | ExportedModel, options: Mapping[str, Any]) -> Backend:
    runtime = RUNTIMES[name]
    precision = options['precision']
    fault = _unfit(runtime, model, options['device'])
    if fault is None and precision not in ('auto', *runtime.precisions):
        fault = f'has no precision {precision}; it has {", ".join(runtime.precisions)}'
    if fault:
        raise HydranetError(f'Backend {name!r} {fault}.')
    try:
        opened: Backend = import_module(runtime.module).open_backend(model, **options)
    except ModuleNotFoundError as error:
        raise HydranetError(
            f'Backend {name!r} needs the Python package {error.name} to convert a bundle; install '
            'it, or convert the model with `hydranet export` on a machine that has the package.'
        ) from error
    return opened


def _check_export(
    model: ExportedModel, precision: str, label_set: str | None, fields: Sequence[str] | None
) -> None:
    """Raise HydranetError if an exported graph lacks a requested property."""
    wanted = None
    if label_set and label_set != model.label_set:
        wanted = f'label set {label_set!r} (it has {model.label_set})'
    elif fields is not None and set(fields) != set(model.fields):
        wanted = f'fields {", ".join(fields)} (it has {", ".join(model.fields)})'
    elif (precision == 'int8') != (model.precision == 'int8') and precision != 'auto':
        wanted = f'precision {precision} (it has {model.precision})'
    if wanted:
        raise HydranetError(f'{model.path} was exported without {wanted}; export it again.')


def _unfit(runtime: Runtime, model: Bundle | ExportedModel, device: str) -> str | None:
    """Return why a runtime cannot run a model on a device, None if it can."""
    if find_spec(runtime.package) is None:
        return f'needs the Python package {runtime.package}; install it or choose another backend'
    if isinstance(model, Bundle) and runtime.converter and not find_spec(runtime.converter):
        return f'needs the Python package {runtime.converter} to convert a bundle; install it'
    if isinstance(model, ExportedModel) and model.format not in runtime.formats:
        return f'cannot run {model.path}, whose format is {model.format}'
    if device != 'auto' and _kind(device) not in runtime.devices:
        return f'runs on {" or ".join(runtime.devices)}, not on device {device!r}'
    return None


def _kind(device: str) -> str:
    return device.lower().split(':')[0].split('.')[0]


def _choose_runtime(model: Bundle | ExportedModel, options: Mapping[str, Any]) -> str:
    device = options['device']
    if device != 'auto' and _kind(device) not in DEVICES:
        raise HydranetError(
            f'There is no device {device!r}; use auto, {", ".join(DEVICES)}, or cuda:N, gpu.N.'
        )
    named = os.environ.get(VARIABLE)
    if named and named not in RUNTIMES:
        raise HydranetError(
            f'The environment variable {VARIABLE} is {named!r}; known are {", ".join(RUNTIMES)}.'
        )
    if named and _unfit(RUNTIMES[named], model, device) is None:
        return named
    wants_cuda = _kind(device) == 'cuda' or (device == 'auto' and _cuda_is_there())
    if wants_cuda and isinstance(model, Bundle) and find_spec('torch') is not None:
        return 'torch'
    fit = {
        name: runtime.rank
        for name, runtime in RUNTIMES.items()
        if runtime.rank is not None and _unfit(runtime, model, device) is None
    }
    if fit:
        best = [name for name, rank in fit.items() if rank == min(fit.values())]
        kind = (model.metadata.tasks, model.metadata.interpolation, sorted(options.items()))
        size = model.size if isinstance(model, ExportedModel) else None
        return choose(
            best, lambda name: _open(name, model, options), repr(kind), size or USUAL_SIZE
        )
    reasons = (f'{name} {_unfit(runtime, model, device)}' for name, runtime in RUNTIMES.items())
    raise HydranetError(f'No backend can run this model here: {"; ".join(reasons)}.')


def _cuda_is_there() -> bool:
    """Return whether torch can use an NVIDIA GPU; torch is not imported without a driver."""
    drivers = ('/dev/nvidiactl', '/dev/nvhost-gpu', '/dev/nvgpu', '/dev/dxg')
    if find_spec('torch') is None or not any(Path(driver).exists() for driver in drivers):
        return False
    import torch

    return torch.cuda.is_available()
