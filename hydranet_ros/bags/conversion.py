# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Write samples to a rosbag2 with ground truth, or to a folder of samples; without ROS."""

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
from hydranet_ros.data.image_files import INTRINSICS_NAME
from hydranet_ros.data.media import write_image
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import naming_write_faults
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.messages.topic_names import (
    camera_info_topic,
    COMPRESSED_SUFFIX,
    truth_topic,
)

TRUTH_LABELS, TRUTH_DEPTH = truth_topic('segmentation'), truth_topic('depth')
TF_TOPIC = '/tf'
WORLD_FRAME = 'map'
IMAGE_FORMATS = ('raw', 'png', 'jpeg')
FIRST_STAMP = NANOSECONDS
"""Stamp of the first sample if samples have no times; 0 would mean "not set"."""


@dataclass(frozen=True)
class BagLayout:
    """How samples are stored in a bag."""

    image_topic: str = '/image'  # of raw images; camera_info is next to it
    frame_id: str = 'camera'  # the camera's optical frame
    image_format: str = 'raw'  # one of IMAGE_FORMATS; png, jpeg are on <image_topic>/compressed
    storage: str = 'mcap'  # or sqlite3


@dataclass
class Written:
    """How many messages of each kind were written."""

    images: int = 0
    labels: int = 0
    depth: int = 0
    poses: int = 0
    other_calibrations: int = 0  # images whose calibration differs from the first one


def write_samples(
    path: Path, samples: Iterable[tuple[int, Sample]], layout: BagLayout | None = None
) -> Written:
    """
    Write samples to a bag; each is given with its stamp in nanoseconds since the epoch.

    All messages of a sample have its stamp: image, calibration, pose on ``/tf`` and ground truth
    (labels as mono8, depth as 32FC1 in metres, NaN where unknown). The calibration precedes the
    image.
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
        for time, sample in samples:
            height, width = sample.image.shape[:2]
            if sample.camera is not None:
                matrix = sample.camera.matrix
                info = camera_info_message(
                    width, height, matrix[0, 0], time, matrix=matrix, frame_id=frame
                )
                write(camera_info_topic(layout.image_topic), CAMERA_INFO_TYPE, time, info)
            if sample.pose is not None:
                transform = transform_message(sample.pose, time, parent=WORLD_FRAME, child=frame)
                write(TF_TOPIC, TF_TYPE, time, transform)
                written.poses += 1
            if layout.image_format == 'raw':
                image = image_message(sample.image, time, frame_id=frame)
                write(layout.image_topic, IMAGE_TYPE, time, image)
            else:
                suffix = layout.image_format
                image = compressed_image_message(sample.image, time, suffix=suffix, frame_id=frame)
                topic = layout.image_topic + COMPRESSED_SUFFIX
                write(topic, COMPRESSED_IMAGE_TYPE, time, image)
            written.images += 1
            for values, topic, encoding in (
                (sample.segmentation, TRUTH_LABELS, 'mono8'),
                (sample.depth, TRUTH_DEPTH, '32FC1'),
            ):
                if values is not None:
                    message = image_message(values, time, encoding=encoding, frame_id=frame)
                    write(topic, IMAGE_TYPE, time, message)
            written.labels += sample.segmentation is not None
            written.depth += sample.depth is not None
    return written


def extract_samples(folder: Path, samples: Iterable[Sample], depth_unit: float = 0.001) -> Written:
    """
    Write samples to a folder that ``hydranet_ros.data.open_dataset.open_folder`` reads.

    Only the first calibration is written; images with another one are counted. ``depth_unit`` is
    the number of metres per step of the 16-bit depth PNGs; depth that 16 bits cannot hold becomes
    0, which means unknown.
    """
    written = Written()
    matrix = None
    for sample in samples:
        write_image(folder / 'image' / f'{sample.name}.png', sample.image)
        written.images += 1
        if sample.camera is not None:
            if matrix is None:
                matrix = sample.camera.matrix
                _write_matrix(folder / INTRINSICS_NAME, matrix)
            written.other_calibrations += not np.allclose(matrix, sample.camera.matrix)
        if sample.segmentation is not None:
            write_image(folder / 'segmentation' / f'{sample.name}.png', sample.segmentation)
            written.labels += 1
        if sample.depth is not None:
            steps = np.rint(np.nan_to_num(sample.depth) / depth_unit)
            # Many sensors write the largest value for "unknown", so that value is not written.
            held = (steps > 0) & (steps < np.iinfo(np.uint16).max)
            stored = np.where(held, steps, 0).astype(np.uint16)
            write_image(folder / 'depth' / f'{sample.name}.png', stored)
            written.depth += 1
        if sample.pose is not None:
            _write_matrix(folder / 'pose' / f'{sample.name}.txt', sample.pose)
            written.poses += 1
    return written


def _write_matrix(path: Path, matrix: NDArray[np.float64]) -> None:
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, matrix, fmt='%.9g')
