# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet view``: show predictions in the Rerun viewer, without ROS."""

from __future__ import annotations

import argparse
from pathlib import Path
import threading
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import (
    add_runtime_arguments,
    add_working_width,
    open_predictor,
    positive,
)
from hydranet_ros.cli.view_arguments import add_input_arguments, open_input

if TYPE_CHECKING:
    from hydranet_ros.pictures.viewer import Viewer

HELP = 'show predictions of a bag, a folder, a video or a camera in 3-D (needs rerun-sdk)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, or the name of a shipped model')
    add_input_arguments(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        '--save', type=Path, metavar='FILE.rrd', help='write a file instead of opening a window'
    )
    where.add_argument(
        '--web', action='store_true', help='serve a web page instead, until interrupted'
    )
    parser.add_argument('--web-port', type=int, default=9090, help='TCP port of the page')
    parser.add_argument(
        '--data-port', type=int, default=9876, help='TCP port of the data for the page'
    )
    parser.add_argument('--label-set', help='label set of the model (default: the first)')
    parser.add_argument(
        '--depth-colors',
        type=float,
        nargs=2,
        metavar=('NEAR', 'FAR'),
        help="depths in metres at the ends of the colour map (default: the model's range within "
        '0.5 to 80)',
    )
    parser.add_argument(
        '--stride', type=positive, default=3, help='show every N-th pixel as a point (default: 3)'
    )
    parser.add_argument(
        '--max-range', type=float, default=30.0, help='largest distance of points (default: 30 m)'
    )
    add_runtime_arguments(parser)
    add_working_width(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict every image and show it."""
    from tqdm import tqdm

    from hydranet_ros.pictures.panels import depth_colors
    from hydranet_ros.pictures.viewer import saved, served, spawned, Viewer, ViewerOptions

    source = open_input(arguments)
    predictor = open_predictor(arguments)
    if arguments.save:
        sink = saved(arguments.save)
    elif arguments.web:
        sink = served(arguments.web_port, arguments.data_port, _announce)
    else:
        sink = spawned()
    try:
        options = ViewerOptions(
            predictor.label_set,
            depth_colors(predictor.metadata.depth_range, arguments.depth_colors),
            arguments.stride,
            arguments.max_range,
        )
        viewer = Viewer(sink, options)
        for sample in tqdm(source.samples(), total=source.count, unit='image'):
            viewer.show(sample, predictor.predict(sample.image, sample.fx))
    finally:
        predictor.close()
    _finish(viewer, arguments)
    return 0


def _announce(address: str) -> None:
    """Print the address before the first image is ready."""
    print(f'Open {address}', flush=True)


def _finish(viewer: Viewer, arguments: argparse.Namespace) -> None:
    """Complete the recording; a web page is served until the user interrupts."""
    if arguments.web:
        print('All images are shown; press Ctrl-C to end.', flush=True)
        threading.Event().wait()
    viewer.close()
    if arguments.save:
        print(arguments.save)
