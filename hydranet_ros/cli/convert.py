# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet convert``: convert a published checkpoint to a model file."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = 'convert a published checkpoint to a model file'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('checkpoint', type=Path, help='file written by torch.save, e.g. .ckpt')
    parser.add_argument(
        '--labels',
        nargs='+',
        action='extend',
        default=[],
        metavar='NAME',
        help='label sets of the segmentation logits in order, by name or .yaml path; a network '
        'for NYUD and KITTI has two: --labels nyud40 kitti6',
    )
    parser.add_argument(
        '-o', '--output', type=Path, required=True, help='model file, .safetensors'
    )
    parser.add_argument('--name', help='name of the model (default: name of the checkpoint)')
    parser.add_argument(
        '--depth-range',
        type=float,
        nargs=2,
        metavar=('MIN', 'MAX'),
        help='range to which depth is clipped, in metres (default: 0.001 1000)',
    )
    parser.add_argument('--license', default='unknown', help='terms of use of the weights')
    parser.add_argument(
        '--dtype',
        choices=('float16', 'float32'),
        default='float32',
        help='how weights are stored (default: float32, as published)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert; see :func:`hydranet_ros.model.published_checkpoint.convert_checkpoint`."""
    from hydranet_ros.model.bundle import BundleMetadata, save_bundle
    from hydranet_ros.model.labels import load_label_set
    from hydranet_ros.model.published_checkpoint import convert_checkpoint

    bundle = convert_checkpoint(
        arguments.checkpoint,
        [load_label_set(name) for name in arguments.labels],
        name=arguments.name,
        depth_range=tuple(arguments.depth_range or BundleMetadata.depth_range),
        license_name=arguments.license,
    )
    saved = save_bundle(arguments.output, bundle, arguments.dtype)
    tasks = ', '.join(f'{name} ({n})' for name, n in saved.metadata.tasks.items())
    print(f'{saved.path}: {tasks}')
    return 0
