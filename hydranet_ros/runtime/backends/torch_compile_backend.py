# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The deployed graph through ``torch.compile``.

On CUDA, ``torch.compile`` fuses the operations between the convolutions. So the forward pass is
almost three times as fast as that of the backend ``torch``, although both backends record a CUDA
graph (docs/experiments/performance.md). On a CPU, this backend is about twice as fast as plain
torch but slower than OpenVINO and ONNX Runtime; use it if neither can be installed.

Compilation takes up to a minute for each new image size and needs a C++ compiler, so ``auto``
never chooses this backend. torch caches the result for the next start. From the ninth image size
on, torch runs the graph without compiling it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
import os
import shutil

import torch

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.runtime.backends import torch_backend


def open_backend(
    model: Bundle | ExportedModel,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> torch_backend.TorchBackend | torch_backend.CudaBackend:
    """
    Load a model; see :func:`hydranet_ros.runtime.backends.open_backend`.

    The precision ``auto`` is float16 on CUDA and float32 on a CPU.
    """
    assert isinstance(model, Bundle)  # RUNTIMES lists no format of exported graphs
    compiler = os.environ.get('CXX') or 'g++'  # as torch does
    if shutil.which(compiler) is None:
        raise HydranetError(
            f'Backend torch-compile needs a C++ compiler, and {compiler} was not found; install '
            'g++ or choose another backend.'
        )
    chosen, precision, graph = torch_backend.make_graph(
        model, device=device, precision=precision, label_set=label_set, fields=fields
    )
    if chosen.type == 'cuda' and find_spec('triton') is None:
        raise HydranetError(
            'Backend torch-compile needs the Python package triton on CUDA; install it or choose '
            'another backend.'
        )
    compiled = torch.compile(graph, dynamic=False)
    return torch_backend.wrap('torch-compile', compiled, graph.fields, precision, chosen)
