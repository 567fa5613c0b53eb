# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Names of topics: results, ground truth, compressed images and calibrations.

A task's results are on the topic named after the task (``/depth``), and its ground truth is on
``/ground_truth/<task>``.
"""

from __future__ import annotations

import posixpath

COMPRESSED_SUFFIX = '/compressed'
TRANSPORT_SUFFIXES = ('', COMPRESSED_SUFFIX, '/compressedDepth')
"""Suffixes that image_transport appends to the topic of an image; none for raw images."""
CAMERA_INFO = 'camera_info'
"""Last part of the topic name of a calibration."""
TRUTH_PREFIX = '/ground_truth'
RESULTS = ('segmentation', 'depth', 'normals', 'confidence', 'overlay', 'points')
"""First part of the topic names of the node's outputs."""


def truth_topic(task: str) -> str:
    """Return the absolute topic of a task's ground truth."""
    return f'{TRUTH_PREFIX}/{task}'


def base_topic(topic: str) -> str:
    """Return a topic without the suffix of image_transport."""
    return next(
        (topic.removesuffix(end) for end in TRANSPORT_SUFFIXES if end and topic.endswith(end)),
        topic,
    )


def camera_info_topic(image_topic: str) -> str:
    """Return the topic of the calibration: ``camera_info`` in the namespace of the images."""
    return posixpath.join(posixpath.dirname(base_topic(image_topic)), CAMERA_INFO)


def is_result_or_truth(topic: str) -> bool:
    """Return whether an absolute topic is an output of the node or ground truth."""
    return topic.lstrip('/').split('/')[0] in (*RESULTS, TRUTH_PREFIX.lstrip('/'))
