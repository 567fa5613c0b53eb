# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From a prediction to messages: types, units, invalid values, headers."""

from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from hydranet_ros.labels import load_label_set
from hydranet_ros.node.outputs import available_outputs, depth_millimetres, Frame, OUTPUTS
from hydranet_ros.node.parameters import Settings, user_parameters
from hydranet_ros.predictor import Prediction
from hydranet_ros.tasks import TASKS

LABEL_SET = load_label_set('kitti6')
HEADER = Header(stamp=Time(sec=2**31 - 1, nanosec=999_999_999), frame_id='camera/optical')
OUTPUT = {output.topic: output for output in OUTPUTS}
SIZE = (6, 9)


def make_frame(camera_info=None, **settings):
    """Make a frame with every field; the depth has each kind of value."""
    generator = np.random.default_rng(0)
    depth = generator.uniform(1, 60, SIZE).astype(np.float32)
    depth[0, :6] = [np.nan, 0.2, 65.535, 65.6, 79.0, np.inf]
    prediction = Prediction(
        labels=generator.integers(0, LABEL_SET.size, SIZE).astype(np.uint8),
        depth=depth,
        normals=generator.standard_normal((*SIZE, 3)).astype(np.float32),
    )
    values = {p.name: p.default for p in user_parameters()} | settings
    return Frame(HEADER, prediction, Settings.from_values(values), LABEL_SET, camera_info)


def pixels(message, dtype, channels=1):
    """Return the pixels of a message that we made."""
    shape = (message.height, message.width) + ((channels,) if channels > 1 else ())
    return np.frombuffer(message.data, dtype).reshape(shape)


@pytest.mark.parametrize('topic', OUTPUT)
def test_every_output_has_the_header_and_size_of_the_input(topic):
    info = CameraInfo(width=18, height=12, header=Header(frame_id='other'))
    message = OUTPUT[topic].build(make_frame(info))
    assert message.header == HEADER
    assert (message.height, message.width) == SIZE
    assert isinstance(message, OUTPUT[topic].message_type)


def test_segmentation():
    frame = make_frame()
    message = OUTPUT['segmentation'].build(frame)
    assert message.encoding == 'mono8'
    np.testing.assert_array_equal(pixels(message, np.uint8), frame.prediction.labels)
    message = OUTPUT['segmentation/color'].build(frame)
    assert message.encoding == 'rgb8'
    expected = LABEL_SET.colors[frame.prediction.labels]
    np.testing.assert_array_equal(pixels(message, np.uint8, 3), expected)


def test_depth_in_metres():
    frame = make_frame()
    message = OUTPUT['depth'].build(frame)
    assert message.encoding == '32FC1'
    depth = pixels(message, np.float32)
    expected = frame.prediction.depth.copy()
    expected[np.isinf(expected)] = np.nan
    np.testing.assert_array_equal(depth, expected)


def test_depth_in_millimetres():
    message = OUTPUT['depth'].build(make_frame(depth_encoding='16UC1'))
    assert message.encoding == '16UC1'
    depth = pixels(message, np.uint16)
    assert depth[0, :6].tolist() == [0, 200, 65535, 0, 0, 0]
    metres = make_frame().prediction.depth[1:]
    np.testing.assert_allclose(depth[1:] / 1000, metres, atol=0.00051)


def test_limits_make_depth_invalid_everywhere():
    frame = make_frame(depth_minimum=0.5, depth_maximum=50.0)
    before = frame.prediction.depth.copy()
    depth = pixels(OUTPUT['depth'].build(frame), np.float32)
    with np.errstate(invalid='ignore'):
        inside = (before >= 0.5) & (before <= 50)
    np.testing.assert_array_equal(np.isfinite(depth), inside)
    np.testing.assert_array_equal(depth[inside], before[inside])
    color = pixels(OUTPUT['depth/color'].build(frame), np.uint8, 3)
    np.testing.assert_array_equal(color.any(axis=2), inside)
    np.testing.assert_array_equal(frame.prediction.depth, before)


def test_depth_colours_have_a_fixed_range():
    near, far = make_frame(), make_frame()
    near.prediction.depth[:] = 3.0
    far.prediction.depth[:] = 3.0
    far.prediction.depth[0, 0] = 79.0  # must not change the colours of the others
    first, second = (
        pixels(OUTPUT['depth/color'].build(frame), np.uint8, 3) for frame in (near, far)
    )
    np.testing.assert_array_equal(first[1:], second[1:])
    third = OUTPUT['depth/color'].build(make_frame(depth_color_maximum=10.0))
    assert third.encoding == 'rgb8'
    assert (pixels(third, np.uint8, 3) != first).any()


def test_camera_info_only_where_the_camera_has_one():
    assert OUTPUT['depth/camera_info'].build(make_frame()) is None


def test_normals():
    frame = make_frame()
    message = OUTPUT['normals'].build(frame)
    assert message.encoding == '32FC3'
    np.testing.assert_array_equal(pixels(message, np.float32, 3), frame.prediction.normals)


def test_outputs_follow_what_the_model_can_give():
    assert {o.topic for o in available_outputs(['depth'])} == {
        'depth',
        'depth/camera_info',
        'depth/color',
    }
    assert available_outputs(['labels', 'depth', 'normals']) == OUTPUTS
    # Each task is published somewhere.
    assert {task.fields[0].name for task in TASKS.values()} <= {o.field for o in OUTPUTS}


@given(numpy_st.arrays(np.float32, (4, 5), elements=st.floats(width=32)))
def test_millimetres_are_right_or_invalid(depth):
    millimetres = depth_millimetres(depth)
    assert millimetres.dtype == np.uint16
    inside = millimetres > 0
    np.testing.assert_allclose(millimetres[inside], depth[inside] * 1e3, rtol=1e-6, atol=0.501)
    with np.errstate(invalid='ignore'):
        must_be_valid = (depth > 0.0006) & (depth < 65.5349)
    assert inside[must_be_valid].all()
