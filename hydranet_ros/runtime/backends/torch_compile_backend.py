# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The deployed graph through ``torch.compile``.

On CUDA it fuses the operations between the convolutions, inside the same CUDA graph, and makes the
forward pass nearly three times faster than plain torch (docs/experiments/performance.md). On a
CPU it is about twice as fast, but slower than OpenVINO and ONNX Runtime: use it where neither can
be installed.
Compiling takes up to a minute for each new image size and needs a C++ compiler, so ``auto`` never
takes it; torch caches the result for the next start. After eight sizes torch runs new ones
uncompiled.
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

    ``auto`` is float16 on CUDA and float32 on a CPU.
    """
    assert isinstance(model, Bundle)  # RUNTIMES lists no format of exported graphs
    compiler = os.environ.get('CXX') or 'g++'  # as torch looks for it
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
