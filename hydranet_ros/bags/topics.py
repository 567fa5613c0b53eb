# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Find the topic in a bag that carries the camera's images."""

from __future__ import annotations

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.bags.message_types import COMPRESSED_IMAGE_TYPE, IMAGE_TYPE
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.topic_names import COMPRESSED_SUFFIX, is_result_or_truth


def choose_image_topic(bag: BagReader, wanted: str | None = None) -> str:
    """
    Return ``wanted``; if it is None, the only image topic besides results and ground truth.

    Raises HydranetError if the topic has no images, or several topics have images.
    """
    candidates = {
        name: topic
        for name, topic in sorted(bag.topics.items())
        if topic.type in (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE) and topic.count > 0
    }
    if not candidates:
        raise HydranetError(f'{bag.path} has no images; it has {", ".join(sorted(bag.topics))}.')
    if wanted is None:
        others = {n: t for n, t in candidates.items() if not is_result_or_truth(n)}
        candidates = others or candidates
    names = ', '.join(candidates)
    if wanted is None:
        if len(candidates) > 1:
            raise HydranetError(
                f'{bag.path} has {len(candidates)} topics with images ({names}); '
                'name one with --image-topic.'
            )
        (wanted,) = candidates
    if wanted not in candidates:
        raise HydranetError(f'{bag.path} has no images on {wanted}; it has them on {names}.')
    return wanted


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
