# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a frame's focal length comes from."""

import numpy as np
import pytest

from hydranet_ros.bags.message_types import camera_info_message
from hydranet_ros.camera.calibration import calibration_fault, camera_of, camera_of_frame

WIDTH, HEIGHT = 64, 48


@pytest.fixture
def info():
    message = camera_info_message(WIDTH, HEIGHT, 100.0, 0)
    message.p = np.array([80.0, 0, 30, 0, 0, 80, 20, 0, 0, 0, 1, 0])
    return message


@pytest.mark.parametrize(('rectified', 'expected'), [(False, 100.0), (True, 80.0)])
def test_it_is_that_of_k_or_of_p_where_the_images_are_rectified(info, rectified, expected):
    camera = camera_of_frame(info, WIDTH, HEIGHT, rectified=rectified)
    assert camera.focal_length == expected == camera.matrix[0, 0]


def test_it_follows_the_size_of_the_frame(info):
    camera = camera_of_frame(info, WIDTH // 2, HEIGHT // 2, rectified=False)
    assert (camera.width, camera.height, camera.focal_length) == (WIDTH // 2, HEIGHT // 2, 50.0)


def test_it_is_not_known_without_a_calibration(info):
    assert camera_of_frame(None, WIDTH, HEIGHT, rectified=True) is None
    info.k = np.zeros(9)
    assert camera_of_frame(info, WIDTH, HEIGHT, rectified=False).focal_length is None


def test_p_is_made_from_k_without_distortion(info):
    info.p = np.zeros(12)
    np.testing.assert_array_equal(
        camera_of(info, WIDTH, HEIGHT).projection[:, :3], info.k.reshape(3, 3)
    )
    info.d = np.array([0.1])
    assert not camera_of(info, WIDTH, HEIGHT).projection.any()


@pytest.mark.parametrize(
    ('changes', 'size', 'words'),
    [
        ({}, (WIDTH, HEIGHT), ''),
        ({}, (3 * WIDTH, 3 * HEIGHT), ''),
        ({}, (21, 16), ''),  # rounded to pixels
        ({}, (128, 72), 'for images of 64x48 and the images have 128x72'),
        ({}, (HEIGHT, WIDTH), 'for images of 64x48 and the images have 48x64'),
        ({'width': 0, 'height': 0}, (128, 72), ''),
        ({'k': np.zeros(9)}, (WIDTH, HEIGHT), "'image_rectified', and P is used"),
        ({'k': np.zeros(9), 'p': np.zeros(12)}, (WIDTH, HEIGHT), ''),  # reported as uncalibrated
        ({'p': np.zeros(12)}, (WIDTH, HEIGHT), ''),
        ({'p': np.zeros(12), 'd': np.array([0.1])}, (WIDTH, HEIGHT), 'fill in P'),
    ],
)
def test_suspicious_calibrations_are_named(info, changes, size, words):
    for name, value in changes.items():
        setattr(info, name, value)
    fault = calibration_fault(info, *size, rectified=False)
    assert words in fault and bool(words) == bool(fault)


def test_rectified_images_need_no_k(info):
    info.k = np.zeros(9)
    assert calibration_fault(info, WIDTH, HEIGHT, rectified=True) == ''
