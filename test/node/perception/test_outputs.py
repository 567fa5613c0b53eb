# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From a prediction to messages: types, units, invalid values, headers."""

from dataclasses import replace

from builtin_interfaces.msg import Time
import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, PointField
from std_msgs.msg import Header

from hydranet_ros.camera.camera import Camera
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.images import compressed_to_rgb
from hydranet_ros.messages.topic_names import RESULTS
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.node.perception.outputs import available_outputs, Frame, OUTPUTS
from hydranet_ros.node.perception.parameters import Settings, user_parameters
from hydranet_ros.runtime.predictor import Prediction

LABEL_SET = load_label_set('kitti6')
HEADER = Header(stamp=Time(sec=2**31 - 1, nanosec=999_999_999), frame_id='camera/optical')
OUTPUT = {output.topic: output for output in OUTPUTS}
SIZE = (6, 9)
MATRIX = np.array([[10.0, 0, 4], [0, 12, 2.5], [0, 0, 1]])
CAMERA = Camera(9, 6, MATRIX, np.hstack([MATRIX, np.zeros((3, 1))]))


def make_frame(camera_info=None, camera=None, **settings):
    """Make a frame with every field; the depth has each kind of value."""
    generator = np.random.default_rng(0)
    depth = generator.uniform(1, 60, SIZE).astype(np.float32)
    depth[0, :6] = [np.nan, 0.2, 65.535, 65.6, 79.0, np.inf]
    prediction = Prediction(
        labels=generator.integers(0, LABEL_SET.size, SIZE).astype(np.uint8),
        depth=depth,
        normals=generator.standard_normal((*SIZE, 3)).astype(np.float32),
        confidence=generator.integers(0, 256, SIZE).astype(np.uint8),
    )
    rgb = generator.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    values = {p.name: p.default for p in user_parameters()} | settings
    settings = Settings.from_values(values)
    return Frame(HEADER, prediction, settings, LABEL_SET, camera_info, rgb, camera)


def pixels(message, dtype, channels=1):
    """Return the pixels of an output message."""
    shape = (message.height, message.width) + ((channels,) if channels > 1 else ())
    return np.frombuffer(message.data, dtype).reshape(shape)


def test_the_table_of_topic_names_has_every_output():
    assert {topic.split('/')[0] for topic in OUTPUT} == set(RESULTS)


@pytest.mark.parametrize('topic', OUTPUT)
def test_every_output_has_the_header_and_size_of_the_input(topic):
    info = CameraInfo(width=18, height=12, header=Header(frame_id='other'))
    message = OUTPUT[topic].build(make_frame(info, CAMERA))
    assert message.header == HEADER
    if not isinstance(message, CompressedImage):
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


def test_compressed_segmentation_has_no_loss():
    frame = make_frame()
    message = OUTPUT['segmentation/compressed'].build(frame)
    assert message.format == 'mono8; png compressed '
    decoded = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, frame.prediction.labels)
    # The decoder of compressed camera images can read it.
    grey = compressed_to_rgb(message)
    np.testing.assert_array_equal(grey[..., 1], frame.prediction.labels)


def test_overlay():
    for opacity in (0.0, 0.3, 1.0):
        frame = make_frame(overlay_opacity=opacity)
        shown = pixels(OUTPUT['overlay'].build(frame), np.uint8, 3).astype(float)
        colors = LABEL_SET.colors[frame.prediction.labels].astype(float)
        expected = (1 - opacity) * frame.rgb + opacity * colors
        np.testing.assert_allclose(shown, expected, atol=0.51)


def test_legend_in_the_overlay():
    labels = np.full((120, 300), 5, np.uint8)
    labels[:60] = 2
    plain, named = make_frame(), make_frame(overlay_legend=True)
    pictures = []
    for base in (plain, named):
        rgb = np.full((120, 300, 3), 100, np.uint8)
        frame = replace(base, prediction=Prediction(labels=labels), rgb=rgb)
        pictures.append(pixels(OUTPUT['overlay'].build(frame), np.uint8, 3))
        assert (rgb == 100).all()  # the image is shared with other outputs
    changed = (pictures[0] != pictures[1]).any(axis=(1, 2))
    assert changed[-15:].all() and not changed[:60].any()
    foot = pictures[1][changed]
    # More pixels than a letter edge that has the colour by chance.
    seen = [(foot == color).all(axis=2).sum() > 25 for color in LABEL_SET.colors]
    assert seen == [False, False, True, False, False, True]


def test_confidence():
    frame = make_frame()
    message = OUTPUT['confidence'].build(frame)
    assert message.encoding == 'mono8'
    np.testing.assert_array_equal(pixels(message, np.uint8), frame.prediction.confidence)


def points_of(message):
    """Read a cloud with the fields that its message describes."""
    kinds = {PointField.FLOAT32: '<f4', PointField.UINT32: '<u4'}
    dtype = np.dtype(
        {
            'names': [f.name for f in message.fields],
            'formats': [kinds[f.datatype] for f in message.fields],
            'offsets': [f.offset for f in message.fields],
            'itemsize': message.point_step,
        }
    )
    assert message.row_step == message.width * message.point_step
    assert len(message.data) == message.height * message.row_step
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width)


@pytest.mark.parametrize('stride', [1, 2, 4])
def test_points(stride):
    frame = make_frame(
        None, CAMERA, points_stride=stride, points_maximum_range=40.0, depth_maximum=50.0
    )
    message = OUTPUT['points'].build(frame)
    assert not message.is_bigendian and not message.is_dense
    cloud = points_of(message)
    assert cloud.shape == (-(-6 // stride), -(-9 // stride))
    depth = frame.prediction.depth[::stride, ::stride]
    v, u = np.mgrid[0:6:stride, 0:9:stride]
    expected = np.dstack([(u - 4) * depth / 10, (v - 2.5) * depth / 12, depth])
    with np.errstate(invalid='ignore'):
        far = ~(np.linalg.norm(expected, axis=2) <= 40)
    assert far.any() and not far.all()
    expected[far] = np.nan
    np.testing.assert_allclose(
        np.dstack([cloud[axis] for axis in 'xyz']), expected, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(cloud['label'], frame.prediction.labels[::stride, ::stride])
    packed = np.ascontiguousarray(cloud['rgb']).view(np.uint32)
    colors = np.dstack([packed >> 16, packed >> 8 & 255, packed & 255])
    np.testing.assert_array_equal(colors, frame.rgb[::stride, ::stride])


def test_points_without_calibration_name_what_is_missing():
    with pytest.raises(HydranetError, match="camera_info with frame_id 'camera/optical'"):
        OUTPUT['points'].build(make_frame())
    zeros = Camera(9, 6, np.zeros((3, 3)), np.zeros((3, 4)))
    with pytest.raises(HydranetError, match='not calibrated'):
        OUTPUT['points'].build(make_frame(None, zeros))


def test_points_are_organised_as_the_image():
    message = OUTPUT['points'].build(make_frame(None, CAMERA))
    rows, columns = points_of(message).shape
    assert rows != columns and (message.height, message.width) == (rows, columns)
    assert message.row_step == columns * message.point_step
    assert len(message.data) == rows * message.row_step


def test_points_are_packed_as_sensor_msgs_py_does():
    point_cloud2 = pytest.importorskip(
        'sensor_msgs_py.point_cloud2', reason='sensor_msgs_py comes with a distribution'
    )
    message = OUTPUT['points'].build(make_frame(None, CAMERA))
    expected = point_cloud2.create_cloud(HEADER, message.fields, points_of(message).ravel())
    # create_cloud arranges the points in one row.
    expected.height, expected.width = message.height, message.width
    expected.row_step = message.row_step
    assert message == expected


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
    far.prediction.depth[0, 0] = 79.0  # must not change the colours of other pixels
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


def test_normals_in_colours():
    frame = make_frame()
    frame.prediction.normals[0, 0] = (0, 0, -1)  # faces the camera
    frame.prediction.normals[0, 1] = (1, 0, 0)
    message = OUTPUT['normals/color'].build(frame)
    assert (message.encoding, message.header) == ('rgb8', frame.header)
    assert pixels(message, np.uint8, 3)[0, :2].tolist() == [[128, 128, 0], [255, 128, 128]]


def test_outputs_follow_what_the_model_can_give():
    assert {o.topic for o in available_outputs(['depth'])} == {
        'depth',
        'depth/camera_info',
        'depth/color',
        'points',
    }
    assert available_outputs(['labels', 'confidence', 'depth', 'normals']) == OUTPUTS
    # Each task has an output.
    assert {task.fields[0].name for task in TASKS.values()} <= {o.field for o in OUTPUTS}
