# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet make-bag``: convert datasets, folders and videos to bags, and bags to folders."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import (
    add_depth_unit,
    add_pose_arguments,
    add_topic_arguments,
    add_variables,
    named_topics,
    open_bag,
    parse_variables,
    positive,
)
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.bags.conversion import Written
    from hydranet_ros.data.sample import Sample
    from hydranet_ros.data.sample_source import SampleSource, Selection

HELP = 'write a dataset, folder or video as a rosbag2 with ground truth, or extract one'

_OF_EXTRACT = ('camera_info', 'true_depth', 'true_segmentation', 'pose', 'fixed_frame')
"""Options that name what to read from a bag."""
_DEFAULT_RATE = 10.0
"""Frames per second of images without recorded times."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'source',
        help='dataset file, or the name of one in config/datasets; folder with image/ and '
        'optionally depth/, segmentation/, pose/ and camera-intrinsics.txt; folder of images; '
        'video; with --extract: a bag',
    )
    parser.add_argument('output', type=Path, help='bag to make, or folder to extract to')
    add_variables(parser)
    parser.add_argument('--extract', action='store_true', help='extract a bag to a folder instead')
    parser.add_argument('--split', default='val', help='which split of a dataset (default: val)')
    parser.add_argument(
        '--rate',
        type=float,
        help=f'frames per second (default: the recorded times, else {_DEFAULT_RATE:g}; KITTI '
        'drives have their times in timestamps.txt beside the image folder)',
    )
    parser.add_argument('--every', type=positive, default=1, metavar='N', help='every N-th frame')
    parser.add_argument('--max-frames', type=positive, metavar='N', help='stop after N frames')
    parser.add_argument(
        '--fx', type=float, help='focal length in pixels, if the source has no calibration'
    )
    add_depth_unit(parser)
    parser.add_argument(
        '--format',
        choices=('raw', 'png', 'jpeg'),
        default='raw',
        help='format of the images (default: raw); ground truth is never compressed',
    )
    parser.add_argument('--storage', choices=('mcap', 'sqlite3'), default='mcap')
    parser.add_argument('--frame-id', default='camera', help='optical frame (default: camera)')
    topics = add_topic_arguments(parser)
    topics.description = (
        'Only with --extract; without it, only --image, the topic to write (default: /image).'
    )
    add_pose_arguments(topics)


def run(arguments: argparse.Namespace) -> int:
    """Write the bag, or extract it."""
    from tqdm import tqdm

    from hydranet_ros.bags.conversion import BagLayout, extract_samples, write_samples
    from hydranet_ros.data.sample_source import Selection

    if arguments.rate is not None and not arguments.rate > 0:
        raise HydranetError(f'--rate must be above 0, not {arguments.rate:g}.')
    selection = Selection(arguments.every, arguments.max_frames)
    unused = [f'--{name.replace("_", "-")}' for name in _OF_EXTRACT if getattr(arguments, name)]
    if unused and not arguments.extract:
        raise HydranetError(f'{", ".join(unused)} can only be used with --extract.')
    if arguments.extract:
        source = open_bag(arguments, Path(arguments.source), selection)
    else:
        source = _open_source(arguments, selection)
    samples = tqdm(
        source.samples(), source.name, total=source.count, unit='frame', leave=False, disable=None
    )
    if arguments.extract:
        written = extract_samples(arguments.output, samples, arguments.depth_unit)
    else:
        topic = arguments.image or BagLayout.image_topic
        layout = BagLayout(topic, arguments.frame_id, arguments.format, arguments.storage)
        written = write_samples(arguments.output, _timed(samples, arguments), layout)
    print(
        f'{arguments.output}: {written.images} images, {written.labels} with labels, '
        f'{written.depth} with depth, {written.poses} with a pose'
    )
    if arguments.extract and selection == Selection():
        _check_extracted(arguments, written)
    if written.other_calibrations:
        print(
            f'{written.other_calibrations} images have another calibration than the first image; '
            'camera-intrinsics.txt holds only that of the first.'
        )
    return 0


def _check_extracted(arguments: argparse.Namespace, written: Written) -> None:
    """Raise HydranetError if no annotation matches an image; report depth not extracted."""
    from hydranet_ros.bags.bag_files import BagReader
    from hydranet_ros.bags.topics import depth_cameras, find_topics

    with BagReader(Path(arguments.source)) as bag:
        truths = find_topics(
            bag, image=arguments.image, truths=named_topics(arguments, 'true_')
        ).truths
        cameras = depth_cameras(bag)
    for task, count in (('depth', written.depth), ('segmentation', written.labels)):
        if task in truths and not count:
            raise HydranetError(
                f'No message on {truths[task]} is close enough in time to an image; give a larger '
                '--tolerance.'
            )
    if cameras and 'depth' not in truths:
        print(
            f'The bag also has depth on {", ".join(cameras)}, which was not extracted: if it is '
            'registered to the images, name it with --true-depth.',
            file=sys.stderr,
        )


def _open_source(arguments: argparse.Namespace, selection: Selection) -> SampleSource:
    """Open a dataset, given as file or name, or a folder, video or image at a path."""
    from hydranet_ros.data.open_dataset import load_dataset
    from hydranet_ros.data.readers.kitti import drive_focal_length
    from hydranet_ros.data.sample_source import dataset_samples, open_samples

    path = Path(arguments.source).expanduser()
    if path.suffix in ('.yaml', '.yml') or not (path.exists() or arguments.source.isdecimal()):
        variables = parse_variables(arguments.variables)
        dataset = load_dataset(arguments.source, arguments.split, variables)
        return dataset_samples(dataset, selection, arguments.fx)
    return open_samples(
        arguments.source,
        selection,
        depth_unit=arguments.depth_unit,
        focal_length=arguments.fx or drive_focal_length(path),
    )


def _timed(
    samples: Iterable[Sample], arguments: argparse.Namespace
) -> Iterator[tuple[int, Sample]]:
    """Give each sample a stamp: at the given rate, else as recorded, else at the default rate."""
    from hydranet_ros.bags.conversion import FIRST_STAMP
    from hydranet_ros.data.readers.kitti import drive_times
    from hydranet_ros.messages.stamps import NANOSECONDS

    iterator = iter(samples)
    first = next(iterator, None)
    if first is None:
        return
    path = Path(arguments.source).expanduser()
    recorded = [] if arguments.rate else drive_times(path)
    recorded = recorded[:: arguments.every]
    period = 1 / (arguments.rate or _DEFAULT_RATE)
    for index, sample in enumerate(chain([first], iterator)):
        if recorded:
            if index >= len(recorded):
                raise HydranetError(
                    f'{path.parent}/timestamps.txt has only {len(recorded)} times, fewer than '
                    'there are images; give --rate.'
                )
            yield recorded[index], sample
            continue
        seconds = index * period if arguments.rate or sample.time is None else sample.time
        yield FIRST_STAMP + round(seconds * NANOSECONDS), sample
