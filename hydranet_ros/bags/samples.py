# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The samples of a bag: images with calibration, annotations and poses; without ROS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.bags.bag_files import BagMessage, BagReader
from hydranet_ros.bags.message_types import TF_TYPE
from hydranet_ros.bags.topics import BagTopics, choose_image_topic, find_topics
from hydranet_ros.camera.calibration import camera_of, CameraInfoBuffer
from hydranet_ros.camera.poses import FrameTree, Track
from hydranet_ros.data.media import FrameSource, SourceImage
from hydranet_ros.data.sample import Sample
from hydranet_ros.data.sample_source import ALL, SampleSource, Selection
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.annotations import read_depth, read_labels
from hydranet_ros.messages.images import message_to_rgb
from hydranet_ros.messages.stamps import NANOSECONDS, stamp_nanoseconds

POSE_TYPES = ('geometry_msgs/msg/PoseStamped', 'nav_msgs/msg/Odometry')
TOLERANCE = 0.02
"""Largest difference in seconds between the stamps of an image and its depth or labels."""

PoseAt = Callable[[str, int], NDArray[np.float64] | None]


def open_bag_samples(
    path: Path,
    selection: Selection = ALL,
    *,
    image: str | None = None,
    camera_info: str | None = None,
    truths: Mapping[str, str] | None = None,
    pose: str | None = None,  # topic of poses of the camera's optical frame; None uses /tf
    fixed_frame: str | None = None,  # world frame in /tf; None is the root of the tree
    tolerance: float = TOLERANCE,
) -> SampleSource:
    """
    Open the images of a bag as samples, with calibration, true depth and labels, and poses.

    Raises HydranetError if the bag cannot be read or lacks one of the topics.

    Parameters
    ----------
    image, camera_info, truths
        Topics, as for `find_topics`. Depth and labels must be registered to the images.
    tolerance
        Largest difference in seconds between the stamps of an image and its depth or labels.

    """
    with BagReader(path) as bag:
        topics = find_topics(bag, image=image, camera_info=camera_info, truths=truths)
        image_topic = topics.image or choose_image_topic(bag)
        bag.check_topics(filter(None, (pose,)))
        pose_at = _read_track(bag, pose) if pose else _read_frames(bag, fixed_frame)
        count = selection.count(bag.topics[image_topic].count)

    def samples() -> Iterator[Sample]:
        with BagReader(path) as bag:
            yield from _samples(
                bag,
                selection,
                image_topic,
                topics,
                pose_at=pose_at,
                tolerance=round(tolerance * NANOSECONDS),
            )

    return SampleSource(path.name, count, samples)


def open_bag_frames(
    path: Path, *, image: str | None = None, camera_info: str | None = None
) -> FrameSource:
    """
    Open the images of a bag with their calibration; each is decoded when it is read.

    A damaged image does not stop the reading of later ones. The topics are those of
    `open_bag_samples`.
    """
    with BagReader(path) as bag:
        topics = find_topics(bag, image=image, camera_info=camera_info)
        topic = topics.image or choose_image_topic(bag)
        count = bag.topics[topic].count
        rate = (count - 1) / bag.duration if count > 1 and bag.duration > 0 else None

    def frames() -> Iterator[SourceImage]:
        with BagReader(path) as bag:
            infos = _Calibrations(bag, topics.camera_info)
            for index, message in enumerate(bag.messages((topic,))):
                name = f'{index:06d}'
                read = partial(_read_frame, bag, infos, message, name)
                yield SourceImage(name, f'{path}, image {index}', read)

    return FrameSource(path.resolve().stem, count, rate, frames)


def _read_frame(bag: BagReader, infos: _Calibrations, message: BagMessage, name: str) -> Sample:
    image = bag.decode(message)
    rgb = message_to_rgb(image)
    height, width = rgb.shape[:2]
    info = infos.of(image.header, message.stamp)
    return Sample(name, rgb, camera=None if info is None else camera_of(info, width, height))


def _samples(
    bag: BagReader,
    selection: Selection,
    image_topic: str,
    topics: BagTopics,
    *,
    pose_at: PoseAt,
    tolerance: int,
) -> Iterator[Sample]:
    infos = _Calibrations(bag, topics.camera_info)
    depth_topic, label_topic = topics.truths.get('depth'), topics.truths.get('segmentation')
    depths = _Feed(bag, depth_topic, read_depth, tolerance) if depth_topic else None
    labels = _Feed(bag, label_topic, read_labels, tolerance) if label_topic else None
    first = None
    for index, message in selection.of(enumerate(bag.messages((image_topic,)))):
        stamp = message.stamp
        first = stamp if first is None else first
        image = bag.decode(message)
        rgb = message_to_rgb(image)
        height, width = rgb.shape[:2]
        info = infos.of(image.header, stamp)
        yield Sample(
            f'{index:06d}',
            rgb,
            segmentation=labels.at(stamp, (height, width)) if labels else None,
            depth=depths.at(stamp, (height, width)) if depths else None,
            camera=None if info is None else camera_of(info, width, height),
            pose=pose_at(image.header.frame_id, stamp),
            time=(stamp - first) / NANOSECONDS,
        )


class _Calibrations:
    """Chooses the calibration of each image as the node does; images must be given in order."""

    def __init__(self, bag: BagReader, topic: str | None) -> None:
        self._bag = bag
        self._messages = bag.messages((topic,)) if topic else iter(())
        self._next: BagMessage | None = next(self._messages, None)
        self._buffer = CameraInfoBuffer()

    def of(self, header: Any, stamp: int) -> Any | None:
        """Return the calibration of the image with this header, None if there is none."""
        while self._next is not None and self._next.stamp <= stamp:
            self._advance(self._next)
        if self._buffer.latest_frame_id() is None and self._next is not None:
            self._advance(self._next)  # the first calibration came after the first image
        return self._buffer.match(header)

    def _advance(self, message: BagMessage) -> None:
        self._buffer.put(self._bag.decode(message))
        self._next = next(self._messages, None)


class _Feed:
    """Depth or label images, searched by stamp while the colour images are read in order."""

    def __init__(
        self, bag: BagReader, topic: str, read: Callable[[Any], NDArray], tolerance: int
    ) -> None:
        self._bag = bag
        self._read = read
        self._tolerance = tolerance
        self._messages = bag.messages((topic,))
        self._next: BagMessage | None = next(self._messages, None)

    def at(self, stamp: int, shape: tuple[int, int]) -> NDArray | None:
        """Return the values for the image with this stamp, None if there are none."""
        while self._next is not None and self._is_before(self._next, stamp):
            self._next = next(self._messages, None)
        if self._next is None or abs(self._next.stamp - stamp) > self._tolerance:
            return None
        values = self._read(self._bag.decode(self._next))
        if values.shape != shape:
            raise HydranetError(
                f'{self._next.topic} has {values.shape[1]}×{values.shape[0]} pixels, but the '
                f'images have {shape[1]}×{shape[0]}; depth and labels must be registered to the '
                'images.'
            )
        return values

    def _is_before(self, message: BagMessage, stamp: int) -> bool:
        return message.stamp < stamp - self._tolerance


def _read_track(bag: BagReader, topic: str) -> PoseAt:
    if bag.topics[topic].type not in POSE_TYPES:
        raise HydranetError(
            f'{topic} carries {bag.topics[topic].type}; poses are read from '
            f'{" or ".join(POSE_TYPES)}.'
        )
    track = Track()
    for recorded in bag.messages((topic,)):
        message = bag.decode(recorded)
        # In Odometry, the field is a PoseWithCovariance, which contains the pose.
        pose = getattr(message.pose, 'pose', message.pose)
        track.put(recorded.stamp, _xyz(pose.position), _xyzw(pose.orientation))
    return lambda _frame, time: track.at(time)


def _read_frames(bag: BagReader, world: str | None) -> PoseAt:
    tree = FrameTree()
    topics = [name for name, topic in bag.topics.items() if topic.type == TF_TYPE and topic.count]
    for recorded in bag.messages(topics) if topics else ():
        fixed = bag.topics[recorded.topic].latched or recorded.topic.endswith('tf_static')
        for transform in bag.decode(recorded).transforms:
            stamp = transform.header.stamp
            tree.put(
                transform.header.frame_id.lstrip('/'),
                transform.child_frame_id.lstrip('/'),
                None if fixed else stamp_nanoseconds(stamp.sec, stamp.nanosec),
                _xyz(transform.transform.translation),
                _xyzw(transform.transform.rotation),
            )

    def pose_at(frame: str, time: int) -> NDArray[np.float64] | None:
        frame = frame.lstrip('/')
        top = world or tree.root(frame)
        # A camera that is not in a tree has no pose, rather than the identity.
        return tree.pose(frame, top, time) if topics and frame != top else None

    return pose_at


def _xyz(vector: Any) -> Sequence[float]:
    return vector.x, vector.y, vector.z


def _xyzw(rotation: Any) -> Sequence[float]:
    return rotation.x, rotation.y, rotation.z, rotation.w
