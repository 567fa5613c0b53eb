# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Input of ``hydranet view`` and ``hydranet reconstruct``: a bag, folder, video or camera."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import (
    add_depth_unit,
    add_pose_arguments,
    add_topic_arguments,
    open_bag,
    positive,
)

if TYPE_CHECKING:
    from hydranet_ros.data.sample_source import SampleSource


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the input."""
    parser.add_argument(
        'input',
        help='bag; folder with image/ and optionally depth/, segmentation/, pose/ and '
        'camera-intrinsics.txt; image, folder of images, video, or index of a camera',
    )
    parser.add_argument(
        '--every', type=positive, default=1, metavar='N', help='use every N-th image'
    )
    parser.add_argument('--skip', type=int, default=0, metavar='N', help='skip the first N images')
    parser.add_argument('--max-frames', type=positive, metavar='N', help='stop after N images')
    parser.add_argument(
        '--fx', type=float, help='focal length in pixels, if the input has no calibration'
    )
    add_depth_unit(parser)
    add_pose_arguments(add_topic_arguments(parser))


def open_input(arguments: argparse.Namespace) -> SampleSource:
    """Open the input that the arguments name."""
    from hydranet_ros.bags.bag_files import is_bag
    from hydranet_ros.data.sample_source import open_samples, Selection

    selection = Selection(arguments.every, arguments.max_frames, max(arguments.skip, 0))
    path = Path(arguments.input).expanduser()
    if is_bag(path):
        return open_bag(arguments, path, selection)
    return open_samples(
        arguments.input,
        selection,
        depth_unit=arguments.depth_unit,
        focal_length=arguments.fx,
    )
