# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Names of topics: results, ground truth, and what image_transport and camera drivers add.

A task's results are on the topic named after it (``/depth``), its ground truth on
``/ground_truth/<task>``.
"""

from __future__ import annotations

import posixpath

COMPRESSED_SUFFIX = '/compressed'
TRANSPORT_SUFFIXES = ('', COMPRESSED_SUFFIX, '/compressedDepth')
"""What image_transport appends to the topic of an image."""
CAMERA_INFO = 'camera_info'
"""Last part of the name of a calibration's topic."""
TRUTH_PREFIX = '/ground_truth'
RESULTS = ('segmentation', 'depth', 'normals', 'confidence', 'overlay', 'points')
"""First part of the names of the node's outputs."""


def truth_topic(task: str) -> str:
    """Return the absolute topic of a task's ground truth."""
    return f'{TRUTH_PREFIX}/{task}'


def base_topic(topic: str) -> str:
    """Return a topic without what image_transport appends."""
    return next(
        (topic.removesuffix(end) for end in TRANSPORT_SUFFIXES if end and topic.endswith(end)),
        topic,
    )


def camera_info_topic(image_topic: str) -> str:
    """Return the topic of the calibration: ``camera_info`` beside the raw images."""
    return posixpath.join(posixpath.dirname(base_topic(image_topic)), CAMERA_INFO)


def is_result_or_truth(topic: str) -> bool:
    """Tell whether an absolute topic is one of the node's outputs, or ground truth."""
    return topic.lstrip('/').split('/')[0] in (*RESULTS, TRUTH_PREFIX.lstrip('/'))
