# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The deployed graph through ``torch.compile``.

On CUDA it fuses what lies between the convolutions, inside the same CUDA graph: the forward pass
is nearly three times faster than by torch alone (docs/performance.md). On a CPU it is some two
times faster, and slower than OpenVINO and ONNX Runtime: for machines where neither can be
installed. Each image size is compiled when it first comes, which takes up to a minute and a C++
compiler, so that ``auto`` never takes it; torch keeps what it compiled for the next start. Beyond
eight sizes torch runs new ones without compiling them.
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


class CompiledBackend(torch_backend.TorchBackend):
    """The compiled graph on a CPU; see :class:`hydranet_ros.runtime.backends.Backend`."""

    name = 'torch-compile'


class CompiledCudaBackend(torch_backend.CudaBackend):
    """The compiled graph on an NVIDIA GPU; see :class:`hydranet_ros.runtime.backends.Backend`."""

    name = 'torch-compile'


def open_backend(
    model: Bundle | ExportedModel,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> CompiledBackend | CompiledCudaBackend:
    """
    Load a model; see :func:`hydranet_ros.runtime.backends.open_backend`.

    ``auto`` is float16 on CUDA and float32 on a CPU.
    """
    assert isinstance(model, Bundle)  # it knows no format of exported graphs
    compiler = os.environ.get('CXX') or 'g++'  # as torch looks for it
    if shutil.which(compiler) is None:
        raise HydranetError(
            f'Backend torch-compile needs a C++ compiler, and {compiler} is not there; install '
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
    if chosen.type == 'cuda':
        return CompiledCudaBackend(compiled, graph.fields, chosen, precision)
    return CompiledBackend(compiled, graph.fields, precision)
