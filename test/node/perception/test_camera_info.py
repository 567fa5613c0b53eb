# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Find the calibration of an image, and publish it with the outputs."""

from builtin_interfaces.msg import Time
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from hydranet_ros.camera.calibration import camera_of, CameraInfoBuffer, CAPACITY
from hydranet_ros.node.perception.output_messages import camera_info_for

K = [700.0, 0.0, 610.0, 0.0, 710.0, 180.0, 0.0, 0.0, 1.0]
P = [690.0, 0.0, 600.0, -380.0, 0.0, 690.0, 170.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def header(nanosec=0, frame_id='camera'):
    """Return a header at a time."""
    return Header(stamp=Time(sec=5, nanosec=nanosec), frame_id=frame_id)


def camera_info(nanosec=0, frame_id='camera', **fields):
    """Return the calibration of a camera of 1240×370 pixels."""
    fields = {'width': 1240, 'height': 370, 'k': K, 'p': P, 'd': [0.1, 0.2], **fields}
    return CameraInfo(header=header(nanosec, frame_id), distortion_model='plumb_bob', **fields)


def test_the_same_stamp_is_preferred_then_the_latest_of_the_frame():
    buffer = CameraInfoBuffer()
    assert buffer.match(header()) is None
    assert buffer.latest_frame_id() is None
    messages = [camera_info(n) for n in (10, 20, 30)]
    for message in messages:
        buffer.put(message)
    buffer.put(camera_info(20, 'other'))
    assert buffer.match(header(20)) is messages[1]
    assert buffer.match(header(25)) is messages[2]
    assert buffer.match(header(25, 'third')) is None
    assert buffer.latest_frame_id() == 'other'


def test_memory_is_bounded():
    buffer = CameraInfoBuffer()
    for n in range(3 * CAPACITY):
        buffer.put(camera_info(n))
    latest = buffer.match(header(3 * CAPACITY - 1))
    assert buffer.match(header(0)) is latest  # its own message was dropped


def test_of_the_same_size_all_but_the_header_is_as_received():
    received = camera_info(10)
    published = camera_info_for(received, header(77, 'camera'), 1240, 370)
    assert published.header == header(77)
    assert received.header == header(10)
    published.header = received.header
    assert published == received


def test_of_another_size_the_intrinsics_are_scaled():
    received = camera_info()
    published = camera_info_for(received, header(), 620, 185)
    assert (published.width, published.height) == (620, 185)
    np.testing.assert_allclose(published.k, [350, 0, 304.75, 0, 355, 89.75, 0, 0, 1], rtol=1e-12)
    np.testing.assert_allclose(
        published.p, [345, 0, 299.75, -190, 0, 345, 84.75, 0, 0, 0, 1, 0], rtol=1e-12
    )
    assert list(published.d) == [0.1, 0.2] and published.distortion_model == 'plumb_bob'
    assert list(received.k) == K and received.width == 1240


def test_the_lens_and_the_rectified_camera_come_along():
    camera = camera_of(camera_info(d=[0.1, 0.2, 0.0, 0.001]), 620, 185)
    assert camera.distortion_model == 'plumb_bob'
    np.testing.assert_array_equal(camera.distortion, [0.1, 0.2, 0.0, 0.001])
    ideal = camera.rectified()
    assert ideal.focal_length == 345.0 and not ideal.distortion.any()
    assert not np.allclose(camera.rays(20), ideal.rays(20), atol=1e-2)


def test_binning_and_region_of_interest():
    roi = RegionOfInterest(x_offset=40, y_offset=10, width=1200, height=350)
    received = camera_info(binning_x=2, binning_y=2, roi=roi)
    # The image has the size of the message, which is published unchanged.
    published = camera_info_for(received, header(), 600, 175)
    assert list(published.k) == K and published.binning_x == 2 and published.roi == roi
    assert camera_of(received, 600, 175).focal_length == 350.0
    # It has another size: region of interest and binning are applied.
    published = camera_info_for(received, header(), 1200, 350)
    np.testing.assert_allclose(published.k, [700, 0, 570, 0, 710, 170, 0, 0, 1], rtol=1e-12)
    assert published.binning_x == 0 and published.roi == RegionOfInterest()
    assert (published.width, published.height) == (1200, 350)


@pytest.mark.parametrize('fields', [{'k': [0.0] * 9}, {'k': [float('nan')] * 9}])
def test_uncalibrated_cameras_have_no_focal_length(fields):
    assert camera_of(camera_info(**fields), 1240, 370).focal_length is None


def test_a_message_without_size_is_taken_to_fit():
    received = camera_info(width=0, height=0)
    assert camera_of(received, 640, 480).focal_length == 700.0
    published = camera_info_for(received, header(), 640, 480)
    assert (published.width, published.height) == (640, 480)
    assert list(published.k) == K


def test_p_is_filled_in_from_k_without_distortion():
    received = camera_info(p=[0.0] * 12, d=[])
    published = camera_info_for(received, header(), 1240, 370)
    assert list(published.p) == [700, 0, 610, 0, 0, 710, 180, 0, 0, 0, 1, 0]
    distorted = camera_info(p=[0.0] * 12)
    assert not any(camera_info_for(distorted, header(), 1240, 370).p)
