# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Find the topics of a bag: the camera's images, their calibration, and ground truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
import posixpath
from typing import Any

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.bags.message_types import COMPRESSED_IMAGE_TYPE, IMAGE_TYPE
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.annotations import read_depth
from hydranet_ros.messages.images import message_to_rgb
from hydranet_ros.messages.topic_names import (
    base_topic,
    camera_info_topic,
    COMPRESSED_SUFFIX,
    is_result_or_truth,
    RESULTS,
    TRANSPORT_SUFFIXES,
    TRUTH_PREFIX,
)
from hydranet_ros.model.tasks import TASKS

_DEPTH_ENCODINGS = ('16UC1', '32FC1')


@dataclass(frozen=True)
class BagTopics:
    """The topics of one camera; a topic that the bag lacks is None or has no entry."""

    image: str | None
    camera_info: str | None
    truths: Mapping[str, str]  # ground truth: topic by task
    predictions: Mapping[str, str]  # topic by task


def find_topics(
    bag: BagReader,
    *,
    image: str | None = None,
    camera_info: str | None = None,
    truths: Mapping[str, str] | None = None,
    predictions: Mapping[str, str] | None = None,
) -> BagTopics:
    """
    Find the topics of a camera; topics that the user names take precedence.

    Predictions are looked for where the node publishes them (``/segmentation``, ``/depth`` …),
    ground truth at ``/ground_truth/<task>``, each raw or compressed. If there is none, true depth
    is taken from a depth camera: the only other topic with depth images of the same size and
    frame_id, such as ``aligned_depth_to_color`` of a RealSense. Raises HydranetError if a named
    topic does not exist, or several topics could have the images.
    """
    named = (truths or {}), (predictions or {})
    bag.check_topics(filter(None, (camera_info, *named[0].values(), *named[1].values())))
    true_ones = _topics_of_tasks(bag, TRUTH_PREFIX, named[0])
    predicted = _topics_of_tasks(bag, '', named[1])
    others = {*true_ones.values(), *predicted.values()}
    chosen = None
    if image is not None or _image_topics(bag, others):
        chosen = choose_image_topic(bag, image, others)
    if chosen is not None and 'depth' not in true_ones:
        measured = _measured_depth(bag, {base_topic(chosen), *others}, _first(bag, chosen))
        true_ones |= {'depth': measured} if measured else {}
    beside = camera_info or (camera_info_topic(chosen) if chosen else None)
    return BagTopics(chosen, beside if beside in bag.topics else None, true_ones, predicted)


def _topics_of_tasks(bag: BagReader, prefix: str, named: Mapping[str, str]) -> dict[str, str]:
    """
    Return the topic of each task, by task: the named one, else ``<prefix>/<task>``.

    Topics without messages are left out.
    """
    topics = {}
    for task in TASKS:
        usual = (f'{prefix}/{task}{suffix}' for suffix in TRANSPORT_SUFFIXES)
        candidates = (named[task],) if task in named else usual
        topic = next((t for t in candidates if t in bag.topics and bag.topics[t].count), None)
        if topic is not None:
            topics[task] = topic
    return topics


def choose_image_topic(
    bag: BagReader, wanted: str | None = None, others: Collection[str] = ()
) -> str:
    """
    Return ``wanted``; if it is None, the only topic of camera images that is not in ``others``.

    Raises HydranetError if the topic has no images, or several topics have images.
    """
    with_images = _with_images(bag)
    if not with_images:
        raise HydranetError(f'{bag.path} has no images; it has {", ".join(sorted(bag.topics))}.')
    if wanted is None:
        candidates = _image_topics(bag, others) or with_images
        if len(candidates) > 1:
            raise HydranetError(
                f'{bag.path} has {len(candidates)} topics with images '
                f'({", ".join(candidates)}); name one with --image.'
            )
        return candidates[0]
    if wanted not in with_images and wanted + COMPRESSED_SUFFIX in with_images:
        return wanted + COMPRESSED_SUFFIX
    if wanted not in with_images:
        raise HydranetError(
            f'{bag.path} has no images on {wanted}; it has them on {", ".join(with_images)}.'
        )
    return wanted


def _with_images(bag: BagReader) -> list[str]:
    """Return all topics with messages of images."""
    types = (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE)
    return [n for n, topic in sorted(bag.topics.items()) if topic.type in types and topic.count]


def _image_topics(bag: BagReader, others: Collection[str]) -> list[str]:
    """Return the topics that could be a camera's images: neither results, truth nor depth."""
    free = [n for n in _with_images(bag) if n not in others and not is_result_or_truth(n)]
    if len(free) < 2:
        return free
    # 16UC1 may also be a 16-bit camera: if all topics look like depth, keep them all.
    return [name for name in free if not _is_depth(_first(bag, name))] or free


def depth_cameras(bag: BagReader) -> list[str]:
    """
    Return the topics of depth images, besides results and ground truth.

    Of a topic that was recorded in several transports, the raw one is returned.
    """
    found: dict[str, str] = {}
    for name in _with_images(bag):
        # Nodes with a namespace publish results there, e.g. /robot/depth.
        result = is_result_or_truth(name) or posixpath.basename(base_topic(name)) in RESULTS
        if not result and _is_depth(_first(bag, name)):
            found.setdefault(base_topic(name), name)
    return list(found.values())


def _measured_depth(bag: BagReader, others: Collection[str], image: Any | None) -> str | None:
    """Return the only topic of depth images with the size and frame_id of the camera's image."""
    candidates = [
        name
        for name in depth_cameras(bag)
        if not {name, base_topic(name)} & set(others) and _registered(_first(bag, name), image)
    ]
    return candidates[0] if len(candidates) == 1 else None


def _registered(depth: Any | None, image: Any | None) -> bool:
    """Return whether depth seems to be that of the pixels of an image."""
    if depth is None or image is None or depth.header.frame_id != image.header.frame_id:
        return False
    try:
        return read_depth(depth).shape == message_to_rgb(image).shape[:2]
    except HydranetError:
        return False


def _first(bag: BagReader, topic: str) -> Any | None:
    """Return the first message of a topic; None if it is damaged."""
    try:
        return bag.decode(next(bag.messages((topic,))))
    except HydranetError:
        return None


def _is_depth(message: Any | None) -> bool:
    stored = getattr(message, 'format', '')  # of a compressed image, e.g. "16UC1; png compressed"
    encoding = getattr(message, 'encoding', stored.partition(';')[0].strip())
    return 'compressedDepth' in stored or encoding in _DEPTH_ENCODINGS


def check_transport(bag: BagReader, topic: str) -> None:
    """
    Raise HydranetError if a topic of a bag has a name that the node cannot subscribe to.

    image_transport appends ``/compressed`` to the topics of compressed images, and to no others.
    """
    message_type = bag.topics[topic].type
    if (message_type == COMPRESSED_IMAGE_TYPE) != topic.endswith(COMPRESSED_SUFFIX):
        raise HydranetError(
            f'{topic} has {message_type}; for the node, topics of compressed images must end in '
            f'{COMPRESSED_SUFFIX}, and topics of raw images must not.'
        )
