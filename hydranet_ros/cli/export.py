# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet export``: write a model as a file that a runtime runs without torch."""

from __future__ import annotations

import argparse
from pathlib import Path

from hydranet_ros.cli.common import image_size
from hydranet_ros.errors import HydranetError

HELP = 'write a model as ONNX, OpenVINO, TorchScript or torch.export'
FORMATS = ('onnx', 'openvino', 'torchscript', 'torch-export')
LABELS_AGREE = 0.99
"""Smallest share of pixels with equal labels that an export must reach."""
DEPTH_TOLERANCE = 0.01
"""Largest median relative difference of depth that an export may have."""
_ANY_SIZE_CHECKED = (240, 320)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, or the name of a shipped model')
    parser.add_argument(
        '--format', choices=FORMATS, default='onnx', help='file format (default: onnx)'
    )
    parser.add_argument(
        '--size',
        type=image_size,
        metavar='WxH',
        help='the only image size that the exported model accepts (default: any)',
    )
    parser.add_argument('--label-set', help='label set to predict (default: the first)')
    parser.add_argument(
        '--fields',
        nargs='+',
        metavar='FIELD',
        help='outputs to compute: labels, confidence, depth, normals (default: the first of each '
        'task)',
    )
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        required=True,
        help='output file: .onnx, .xml (OpenVINO), .ts (TorchScript) or .pt2 (torch.export)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Export, run the exported file, and compare it with the model."""
    from hydranet_ros.camera.working_width import NATIVE
    from hydranet_ros.model.bundle import load_bundle
    from hydranet_ros.model.deployed_graph import DeployedGraph
    from hydranet_ros.model.export import export_graph
    from hydranet_ros.resources import model_path
    from hydranet_ros.runtime.parity import compare
    from hydranet_ros.runtime.predictor import Predictor

    bundle = load_bundle(model_path(arguments.model))
    size = arguments.size[::-1] if arguments.size else None
    graph = DeployedGraph(bundle, arguments.label_set, arguments.fields)
    export_graph(graph, graph.exported(arguments.output, arguments.format, size))

    reference = Predictor(
        bundle,
        backend='torch',
        device='cpu',
        precision='float32',
        label_set=arguments.label_set,
        fields=arguments.fields,
        warm_up_size=None,
        working_width=NATIVE,  # the size of the export
    )
    # Both in float32, because the rounding of bfloat16 (AMX) would hide errors of the export.
    written = Predictor(
        arguments.output,
        device='cpu',
        precision='float32',
        warm_up_size=None,
        working_width=NATIVE,
    )
    parity = compare(reference, written, size or _ANY_SIZE_CHECKED)
    megabytes = sum(
        file.stat().st_size
        for file in (arguments.output, arguments.output.with_suffix('.bin'))
        if file.is_file()
    )
    where = f'{arguments.size[0]}x{arguments.size[1]}' if size else 'any size'
    print(f'{arguments.output}: {arguments.format}, {where}, {megabytes / 1e6:.1f} MB')
    print(f'parity with torch, run by {written.backend.name}: {parity}')
    if not parity.holds(LABELS_AGREE, DEPTH_TOLERANCE):
        raise HydranetError(
            f'The results of {arguments.output} differ from those of the model ({parity}); do not '
            'use it.'
        )
    return 0
