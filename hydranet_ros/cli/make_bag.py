# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet make-bag``: a dataset, folder or video as a rosbag2 with ground truth, and back."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from hydranet_ros.cli.view_arguments import positive
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.data.sample import Dataset
    from hydranet_ros.data.views import Selection, View, ViewSource

HELP = 'write a dataset, folder or video as a rosbag2 with ground truth, or extract one'

_DEFAULT_RATE = 10.0
"""Frames per second of images that are no video and have no recorded times."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        'source',
        help='dataset file, or the name of one in config/datasets; folder with image/ and, if it '
        'has them, depth/, segmentation/, pose/ and camera-intrinsics.txt; folder of images; '
        'video; with --extract: a bag',
    )
    parser.add_argument('output', type=Path, help='bag to make, or folder to extract to')
    parser.add_argument(
        'variables',
        nargs='*',
        metavar='NAME=VALUE',
        help='variables of the dataset file, such as data=FOLDER',
    )
    parser.add_argument(
        '--extract', action='store_true', help='the other way: from a bag to a folder'
    )
    parser.add_argument('--split', default='val', help='which split of a dataset (default: val)')
    parser.add_argument(
        '--rate',
        type=float,
        help=f"frames per second (default: the recorded times, else {_DEFAULT_RATE:g}; a drive's "
        'are in timestamps.txt beside its image folder)',
    )
    parser.add_argument('--every', type=positive, default=1, metavar='N', help='every N-th frame')
    parser.add_argument('--max-frames', type=positive, metavar='N', help='stop after N frames')
    parser.add_argument(
        '--fx', type=float, help='focal length in pixels, where the source has no calibration'
    )
    parser.add_argument(
        '--depth-unit',
        type=float,
        default=0.001,
        help="metres that one step of a folder's depth PNG stands for (default: 0.001)",
    )
    parser.add_argument(
        '--format',
        choices=('raw', 'png', 'jpeg'),
        default='raw',
        help='of the images (default: raw); ground truth is never compressed',
    )
    parser.add_argument('--storage', choices=('mcap', 'sqlite3'), default='mcap')
    parser.add_argument('--image', default='/image', help='topic of the images (default: /image)')
    parser.add_argument('--frame-id', default='camera', help='optical frame (default: camera)')


def run(arguments: argparse.Namespace) -> int:
    """Write the bag, or extract it."""
    from tqdm import tqdm

    from hydranet_ros.bags.conversion import BagLayout, extract_views, write_views
    from hydranet_ros.data.views import Selection

    if arguments.rate is not None and not arguments.rate > 0:
        raise HydranetError(f'--rate is a number of frames per second, not {arguments.rate:g}.')
    selection = Selection(arguments.every, arguments.max_frames)
    source = (_open_bag if arguments.extract else _open_source)(arguments, selection)
    views = tqdm(
        source.views(), source.name, total=source.count, unit='frame', leave=False, disable=None
    )
    if arguments.extract:
        written = extract_views(arguments.output, views, arguments.depth_unit)
    else:
        layout = BagLayout(
            arguments.image, arguments.frame_id, arguments.format, arguments.storage
        )
        written = write_views(arguments.output, _timed(views, arguments), layout)
    print(
        f'{arguments.output}: {written.images} images, {written.labels} with labels, '
        f'{written.depth} with depth, {written.poses} with a pose'
    )
    return 0


def _open_source(arguments: argparse.Namespace, selection: Selection) -> ViewSource:
    """Open a dataset by its file or name, else what lies at the path."""
    from hydranet_ros.data.open_dataset import load_dataset
    from hydranet_ros.data.views import open_views

    path = Path(arguments.source).expanduser()
    if path.suffix in ('.yaml', '.yml') or not (path.exists() or arguments.source.isdecimal()):
        variables = dict(_assignment(text) for text in arguments.variables)
        dataset = load_dataset(arguments.source, arguments.split, variables)
        return _dataset_views(dataset, selection, arguments.fx)
    return open_views(
        arguments.source,
        selection,
        depth_unit=arguments.depth_unit,
        focal_length=arguments.fx or _drive_focal_length(path),
    )


def _drive_focal_length(path: Path) -> float | None:
    """Return that of a KITTI raw drive (``<date>/<drive>/image_NN/data``), None for others."""
    from hydranet_ros.data.readers.kitti import focal_length

    data = path.resolve()
    if data.name != 'data' or not data.parent.name.startswith('image_'):
        return None
    calibration = data.parents[2] / 'calib_cam_to_cam.txt'
    camera = data.parent.name.removeprefix('image_')
    return focal_length(calibration, f'P_rect_{camera}') if calibration.is_file() else None


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition('=')
    if not equals:
        raise HydranetError(f'{text!r} is no variable: write NAME=VALUE.')
    return name, value


def _dataset_views(dataset: Dataset, selection: Selection, fx: float | None) -> ViewSource:
    """Return the samples of a dataset as views, with the poses that lie beside its images."""
    from hydranet_ros.data.views import ideal_camera, read_pose, View, ViewSource

    indices = range(0, len(dataset), selection.every)[: selection.maximum]

    def views() -> Iterator[View]:
        for index in indices:
            sample = dataset.load(index)
            image = Path(sample.name)
            yield View(
                image.stem,
                None,
                sample.image,
                camera=ideal_camera(sample.image, sample.fx or fx),
                pose=read_pose(image.parent.parent / 'pose' / f'{image.stem}.txt'),
                depth=sample.depth,
                labels=sample.segmentation,
            )

    return ViewSource(dataset.name, len(indices), views)


def _open_bag(arguments: argparse.Namespace, selection: Selection) -> ViewSource:
    """Open a bag with its ground truth."""
    from hydranet_ros.bags.bag_files import BagReader
    from hydranet_ros.bags.bag_views import open_bag_views
    from hydranet_ros.bags.conversion import TRUTH_DEPTH, TRUTH_LABELS

    path = Path(arguments.source)
    with BagReader(path) as bag:
        topics = bag.topics.keys()
    images = (arguments.image, f'{arguments.image}/compressed')
    return open_bag_views(
        path,
        selection,
        image_topic=next((topic for topic in images if topic in topics), None),
        depth_topic=TRUTH_DEPTH if TRUTH_DEPTH in topics else None,
        label_topic=TRUTH_LABELS if TRUTH_LABELS in topics else None,
    )


def _timed(views: Iterable[View], arguments: argparse.Namespace) -> Iterator[tuple[int, View]]:
    """Give each view its stamp: at the rate asked for, else as recorded, else at the default."""
    from hydranet_ros.bags.conversion import FIRST_STAMP
    from hydranet_ros.messages.stamps import NANOSECONDS

    iterator = iter(views)
    first = next(iterator, None)
    if first is None:
        return
    path = Path(arguments.source).expanduser()
    recorded = [] if arguments.rate else _drive_times(path.parent / 'timestamps.txt')
    recorded = recorded[:: arguments.every]
    period = 1 / (arguments.rate or _DEFAULT_RATE)
    for index, view in enumerate(chain([first], iterator)):
        if recorded:
            if index >= len(recorded):
                raise HydranetError(
                    f'{path.parent}/timestamps.txt has {len(recorded)} times, fewer than there '
                    'are images; give --rate.'
                )
            yield recorded[index], view
            continue
        seconds = index * period if arguments.rate or view.time is None else view.time
        yield FIRST_STAMP + round(seconds * NANOSECONDS), view


def _drive_times(path: Path) -> list[int]:
    """Read a drive's times (KITTI raw: a UTC date and time a line) as nanoseconds."""
    from hydranet_ros.messages.stamps import NANOSECONDS

    if not path.is_file():
        return []
    times = []
    for line in path.read_text(encoding='utf-8').split('\n'):
        if not line.strip():
            continue
        date, _, fraction = line.strip().partition('.')
        try:
            moment = datetime.strptime(date, '%Y-%m-%d %H:%M:%S').replace(tzinfo=timezone.utc)
            nanoseconds = int(fraction.ljust(9, '0')[:9])
        except ValueError as error:
            raise HydranetError(f'{path} holds {line!r}, which is no date and time.') from error
        times.append(int(moment.timestamp()) * NANOSECONDS + nanoseconds)
    return times
