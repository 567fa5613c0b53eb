# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Annotated views to a rosbag2 with ground truth, and back to a folder of views; without ROS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.bags.bag_files import BagWriter
from hydranet_ros.bags.message_types import (
    camera_info_message,
    CAMERA_INFO_TYPE,
    compressed_image_message,
    COMPRESSED_IMAGE_TYPE,
    image_message,
    IMAGE_TYPE,
    TF_TYPE,
    transform_message,
)
from hydranet_ros.bags.topics import camera_info_topic, COMPRESSED_SUFFIX
from hydranet_ros.data.media import naming_write_faults, write_image
from hydranet_ros.data.views import INTRINSICS, View
from hydranet_ros.messages.stamps import NANOSECONDS

TRUTH_PREFIX = '/ground_truth'
TRUTH_LABELS, TRUTH_DEPTH = f'{TRUTH_PREFIX}/segmentation', f'{TRUTH_PREFIX}/depth'
TF_TOPIC = '/tf'
WORLD_FRAME = 'map'
IMAGE_FORMATS = ('raw', 'png', 'jpeg')
FIRST_STAMP = NANOSECONDS
"""Of views without recorded times; 0 would mean "not set"."""


@dataclass(frozen=True)
class BagLayout:
    """
    How views lie in a bag.

    Attributes
    ----------
    image_topic
        Of the images when they are not compressed; ``camera_info`` lies beside.
    frame_id
        Name of the camera's optical frame.
    image_format
        One of `IMAGE_FORMATS`; compressed ones go to ``<image_topic>/compressed``.
    storage
        ``mcap`` or ``sqlite3``.

    """

    image_topic: str = '/image'
    frame_id: str = 'camera'
    image_format: str = 'raw'
    storage: str = 'mcap'


@dataclass
class Written:
    """How many messages of each kind were written."""

    images: int = 0
    labels: int = 0
    depth: int = 0
    poses: int = 0


def write_views(
    path: Path, views: Iterable[tuple[int, View]], layout: BagLayout | None = None
) -> Written:
    """
    Write views as a bag.

    An image carries its stamp, and so do its calibration, its ground truth (labels as mono8,
    depth as 32FC1 in metres with NaN where unknown) and its pose on ``/tf``; what a view lacks is
    left out. The calibration comes before its image.

    Parameters
    ----------
    path
        Folder to make.
    views
        Pairs of the stamp in nanoseconds since the epoch, and the view.
    layout
        How they lie in the bag; the default's.

    Raises
    ------
    HydranetError
        If the bag cannot be written.

    """
    layout = layout or BagLayout()
    written = Written()
    with BagWriter(path, layout.storage) as bag:
        topics: set[str] = set()

        def write(topic: str, kind: str, time: int, message: object) -> None:
            if topic not in topics:
                topics.add(topic)
                bag.add_topic(topic, kind)
            bag.write_message(topic, time, message)

        frame = layout.frame_id
        for time, view in views:
            height, width = view.rgb.shape[:2]
            if view.camera is not None:
                matrix = view.camera.matrix
                info = camera_info_message(
                    width, height, matrix[0, 0], time, matrix=matrix, frame_id=frame
                )
                write(camera_info_topic(layout.image_topic), CAMERA_INFO_TYPE, time, info)
            if view.pose is not None:
                transform = transform_message(view.pose, time, parent=WORLD_FRAME, child=frame)
                write(TF_TOPIC, TF_TYPE, time, transform)
                written.poses += 1
            if layout.image_format == 'raw':
                image = image_message(view.rgb, time, frame_id=frame)
                write(layout.image_topic, IMAGE_TYPE, time, image)
            else:
                suffix = layout.image_format
                image = compressed_image_message(view.rgb, time, suffix=suffix, frame_id=frame)
                topic = layout.image_topic + COMPRESSED_SUFFIX
                write(topic, COMPRESSED_IMAGE_TYPE, time, image)
            written.images += 1
            for values, topic, encoding in (
                (view.labels, TRUTH_LABELS, 'mono8'),
                (view.depth, TRUTH_DEPTH, '32FC1'),
            ):
                if values is not None:
                    message = image_message(values, time, encoding=encoding, frame_id=frame)
                    write(topic, IMAGE_TYPE, time, message)
            written.labels += view.labels is not None
            written.depth += view.depth is not None
    return written


def extract_views(folder: Path, views: Iterable[View], depth_unit: float = 0.001) -> Written:
    """
    Write views as a folder of them, as ``hydranet_ros.data.views.open_views`` reads it.

    Parameters
    ----------
    folder
        Gets ``image/``, ``segmentation/``, ``depth/``, ``pose/`` and the first calibration.
    views
        What to write.
    depth_unit
        Metres that one step of the 16-bit depth PNGs stands for; what they cannot hold becomes 0,
        unknown.

    Raises
    ------
    HydranetError
        If a file cannot be written.

    """
    written = Written()
    for view in views:
        write_image(folder / 'image' / f'{view.name}.png', view.rgb)
        written.images += 1
        if view.camera is not None and not (folder / INTRINSICS).exists():
            _write_matrix(folder / INTRINSICS, view.camera.matrix)
        if view.labels is not None:
            write_image(folder / 'segmentation' / f'{view.name}.png', view.labels)
            written.labels += 1
        if view.depth is not None:
            steps = np.rint(np.nan_to_num(view.depth) / depth_unit)
            # The largest value means "unknown" to many sensors, so it is not used.
            held = (steps > 0) & (steps < np.iinfo(np.uint16).max)
            stored = np.where(held, steps, 0).astype(np.uint16)
            write_image(folder / 'depth' / f'{view.name}.png', stored)
            written.depth += 1
        if view.pose is not None:
            _write_matrix(folder / 'pose' / f'{view.name}.txt', view.pose)
            written.poses += 1
    return written


def _write_matrix(path: Path, matrix: NDArray[np.float64]) -> None:
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, matrix, fmt='%.9g')
