# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet reconstruct``: fuse predictions with known poses into one labelled surface."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import add_runtime_arguments, add_working_width, open_predictor
from hydranet_ros.cli.view_arguments import add_input_arguments, open_input
from hydranet_ros.errors import naming_write_faults

if TYPE_CHECKING:
    from hydranet_ros.evaluation.reconstruction.reconstruct import Comparison, Reconstruction
    from hydranet_ros.model.labels import LabelSet

HELP = 'fuse predicted depth and labels with known poses into a surface, as PLY'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, or the name of a shipped model')
    add_input_arguments(parser)
    parser.add_argument('-o', '--output', type=Path, required=True, help='folder for the results')
    parser.add_argument('--label-set', help='label set of the model (default: the first)')
    parser.add_argument(
        '--voxel', type=float, default=0.03, help='edge of a voxel in metres (default: 0.03)'
    )
    parser.add_argument('--stride', type=int, default=2, help='use every N-th pixel (default: 2)')
    parser.add_argument(
        '--max-depth', type=float, default=5.0, help='skip pixels beyond this depth (default: 5 m)'
    )
    parser.add_argument(
        '--edge',
        type=float,
        default=0.05,
        help='skip pixels whose depth differs from the next pixel by more than this share '
        '(default: 0.05)',
    )
    parser.add_argument(
        '--border',
        type=int,
        default=8,
        help="skip N pixels at the image's edges (default: 8)",
        metavar='N',
    )
    parser.add_argument(
        '--truncation',
        type=float,
        default=0.15,
        help='truncation distance in metres, about the error of the depth (default: 0.15)',
    )
    parser.add_argument(
        '--min-weight',
        type=float,
        default=0.5,
        help='smallest total weight of a voxel; each view adds 1 / depth^2 (default: 0.5)',
    )
    parser.add_argument(
        '--threshold',
        type=float,
        default=0.05,
        help='largest distance of a correct point from the other surface, in metres '
        '(default: 0.05)',
    )
    add_runtime_arguments(parser)
    add_working_width(parser)


def run(arguments: argparse.Namespace) -> int:
    """Fuse, compare with measured depth if available, write and print the results."""
    from tqdm import tqdm

    from hydranet_ros.data.sample import Sample
    from hydranet_ros.evaluation.reconstruction.reconstruct import (
        compare,
        FusionOptions,
        reconstruct,
    )
    from hydranet_ros.runtime.predictor import Prediction

    source = open_input(arguments)
    options = FusionOptions(
        voxel_size=arguments.voxel,
        stride=arguments.stride,
        maximum_depth=arguments.max_depth,
        edge=arguments.edge,
        border=arguments.border,
        truncation=arguments.truncation,
        minimum_weight=arguments.min_weight,
    )
    predictor = open_predictor(arguments)

    def predict(sample: Sample) -> Prediction:
        return predictor.predict(sample.image, sample.fx)

    try:
        samples = tqdm(source.samples(), total=source.count, unit='image')
        result = reconstruct(samples, predict, options)
    finally:
        predictor.close()
    comparison = None
    if result.measured is not None:
        comparison = compare(result.predicted, result.measured, arguments.threshold)
    _write(arguments.output, result, comparison, predictor.label_set, arguments.voxel)
    _print(result, comparison)
    print(arguments.output)
    return 0


def _write(
    folder: Path,
    result: Reconstruction,
    comparison: Comparison | None,
    label_set: LabelSet | None,
    voxel: float,
) -> None:
    """Write the surfaces, their picture and the metrics."""
    from dataclasses import asdict
    import json

    from hydranet_ros.data.media import write_image
    from hydranet_ros.evaluation.reconstruction.picture import picture
    from hydranet_ros.pictures.ply import write_ply

    names = label_set.classes if label_set else ()
    surface = result.predicted
    write_ply(folder / 'predicted.ply', surface.points, surface.colors, surface.labels, names)
    if label_set is not None:
        colors = label_set.palette()[surface.labels]
        write_ply(folder / 'classes.ply', surface.points, colors, surface.labels, names)
    if result.measured is not None:
        measured = result.measured
        write_ply(folder / 'measured.ply', measured.points, measured.colors, measured.labels)
    write_image(folder / 'reconstruction.png', picture(result, label_set, voxel))
    if comparison is not None:
        figures = {
            'views': result.views,
            'depth_ratio': result.depth_ratio,
            'f_score': comparison.f_score,
            **asdict(comparison),
        }
        path = folder / 'comparison.json'
        with naming_write_faults(path):
            path.write_text(json.dumps(figures, indent=2) + '\n', encoding='utf-8')


def _print(result: Reconstruction, comparison: Comparison | None) -> None:
    """Print the metrics."""
    print(f'{result.views} views, {len(result.predicted.points)} points')
    if result.without_pose:
        count, first = len(result.without_pose), result.without_pose[0]
        print(f'{count} images without a valid pose were skipped, the first is {first}.')
    if comparison is None:
        print('No measured depth to compare with.')
        return
    near = f'{100 * comparison.threshold:g} cm'
    assert result.depth_ratio is not None and result.measured is not None
    rows = [
        ('measured surface', f'{len(result.measured.points)} points', ''),
        ('depth ratio', f'{result.depth_ratio:.3f}', 'predicted / measured, median'),
        ('accuracy', f'{100 * comparison.accuracy:.1f} cm', 'mean, predicted to measured'),
        ('', f'{100 * comparison.accuracy_median:.1f} cm', 'median'),
        ('completeness', f'{100 * comparison.completeness:.1f} cm', 'mean, measured to predicted'),
        ('', f'{100 * comparison.completeness_median:.1f} cm', 'median'),
        ('precision', f'{comparison.precision:.3f}', f'of predicted points within {near}'),
        ('recall', f'{comparison.recall:.3f}', f'of measured points within {near}'),
        ('F-score', f'{comparison.f_score:.3f}', f'at {near}'),
    ]
    for name, value, note in rows:
        print(f'{name:18}{value:>14}  {note}')
