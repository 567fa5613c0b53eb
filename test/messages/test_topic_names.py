# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Relations between topics, by their names."""

import pytest

from hydranet_ros.messages.topic_names import (
    base_topic,
    camera_info_topic,
    is_result_or_truth,
    TRANSPORT_SUFFIXES,
)


@pytest.mark.parametrize(
    ('image', 'info'),
    [
        ('/camera/image_raw', '/camera/camera_info'),
        ('/camera/image_raw/compressed', '/camera/camera_info'),
        ('/image', '/camera_info'),
    ],
)
def test_calibration_lies_beside_the_images(image: str, info: str) -> None:
    assert camera_info_topic(image) == info


def test_what_image_transport_appends_is_removed():
    assert {base_topic(f'/a/depth{suffix}') for suffix in TRANSPORT_SUFFIXES} == {'/a/depth'}


@pytest.mark.parametrize(
    ('topic', 'expected'),
    [
        ('/depth', True),
        ('/segmentation/compressed', True),
        ('/ground_truth/depth', True),
        ('/depth_camera/image', False),
        ('/camera/depth', False),
    ],
)
def test_results_are_told_from_images(topic, expected):
    assert is_result_or_truth(topic) is expected
