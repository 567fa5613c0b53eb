# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The deployed graph through ``torch.compile``, for CPUs.

Some two times faster than torch alone, and slower than OpenVINO and ONNX Runtime: for machines
where neither can be installed. Each image size is compiled when it first comes, which takes a
minute and a C++ compiler, so that ``auto`` never takes it. Beyond eight sizes torch runs new ones
without compiling them.
"""

from __future__ import annotations

from collections.abc import Sequence
import os
import shutil

import torch

from hydranet_ros.backends import torch_backend
from hydranet_ros.bundle import Bundle
from hydranet_ros.errors import HydranetError
from hydranet_ros.exported import ExportedModel
from hydranet_ros.pipeline import DeployedGraph


class CompiledBackend(torch_backend.TorchBackend):
    """See :class:`hydranet_ros.backends.Backend`."""

    name = 'torch-compile'


def open_backend(
    model: Bundle | ExportedModel,
    *,
    device: str,
    precision: str,
    label_set: str | None,
    fields: Sequence[str] | None,
) -> CompiledBackend:
    """Load a model; see :func:`hydranet_ros.backends.open_backend`. ``auto`` is float32."""
    assert isinstance(model, Bundle)  # it knows no format of exported graphs
    compiler = os.environ.get('CXX') or 'g++'  # as torch looks for it
    if shutil.which(compiler) is None:
        raise HydranetError(
            f'Backend torch-compile needs a C++ compiler, and {compiler} is not there; install '
            'g++ or choose another backend.'
        )
    precision = 'float32' if precision == 'auto' else precision
    graph: DeployedGraph = torch_backend.on_device(
        DeployedGraph(model, label_set, fields), torch.device('cpu'), precision
    )
    return CompiledBackend(torch.compile(graph, dynamic=False), graph.fields, precision)
