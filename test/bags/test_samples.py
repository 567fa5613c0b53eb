# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of bags: images with calibration, depth, labels and poses."""

import argparse

import numpy as np
import pytest

from hydranet_ros.bags.bag_files import BagWriter
from hydranet_ros.bags.conversion import extract_samples
from hydranet_ros.bags.message_types import camera_info_message, image_message, new_typestore
from hydranet_ros.bags.samples import open_bag_samples
from hydranet_ros.cli.view_arguments import add_input_arguments, open_input
from hydranet_ros.data.sample_source import Selection
from hydranet_ros.errors import HydranetError

SECOND = 1_000_000_000
MESSAGES = new_typestore().types
FRAME = 'camera_optical'


def transform(parent, child, time, x):
    """Return a TransformStamped."""
    stamp = MESSAGES['builtin_interfaces/msg/Time'](*divmod(time, SECOND))
    return MESSAGES['geometry_msgs/msg/TransformStamped'](
        header=MESSAGES['std_msgs/msg/Header'](stamp, parent),
        child_frame_id=child,
        transform=MESSAGES['geometry_msgs/msg/Transform'](
            translation=MESSAGES['geometry_msgs/msg/Vector3'](x, 0.0, 0.0),
            rotation=MESSAGES['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0),
        ),
    )


def pose_stamped(time, x):
    """Return a PoseStamped."""
    stamp = MESSAGES['builtin_interfaces/msg/Time'](*divmod(time, SECOND))
    return MESSAGES['geometry_msgs/msg/PoseStamped'](
        header=MESSAGES['std_msgs/msg/Header'](stamp, 'world'),
        pose=MESSAGES['geometry_msgs/msg/Pose'](
            position=MESSAGES['geometry_msgs/msg/Point'](x, 0.0, 0.0),
            orientation=MESSAGES['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0),
        ),
    )


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Record six images, depth of every second one, frames that move, and poses."""
    path = tmp_path_factory.mktemp('bag') / 'camera'
    with BagWriter(path) as writer:
        for topic, kind in {
            '/camera/image': 'sensor_msgs/msg/Image',
            '/camera/camera_info': 'sensor_msgs/msg/CameraInfo',
            '/depth_camera/image': 'sensor_msgs/msg/Image',
            '/tf': 'tf2_msgs/msg/TFMessage',
            '/pose': 'geometry_msgs/msg/PoseStamped',
        }.items():
            writer.add_topic(topic, kind)
        writer.add_topic('/tf_static', 'tf2_msgs/msg/TFMessage', latched=True)
        moving = MESSAGES['tf2_msgs/msg/TFMessage']
        writer.write_message('/tf_static', 0, moving([transform('base', FRAME, 0, 10.0)]))
        for index in range(6):
            time = SECOND + index * SECOND // 10
            rgb = np.full((48, 64, 3), 40 * index, np.uint8)
            image = image_message(rgb, time, frame_id=FRAME)
            info = camera_info_message(128, 96, 100.0, time, frame_id=FRAME)
            writer.write_message('/camera/image', time, image)
            writer.write_message('/camera/camera_info', time, info)
            if index % 2 == 0:
                # The depth camera's clock is 5 ms ahead.
                late = time + SECOND // 200
                depth = np.full((48, 64), 1.0 + index, np.float32)
                depth[0] = np.inf
                message = image_message(depth, late, encoding='32FC1')
                writer.write_message('/depth_camera/image', late, message)
            tick = time - SECOND // 20
            writer.write_message('/tf', tick, moving([transform('map', 'base', tick, index)]))
            writer.write_message('/pose', time, pose_stamped(time, 100.0 + index))
    return path


def test_samples_of_a_bag(bag):
    source = open_bag_samples(
        bag, image='/camera/image', truths={'depth': '/depth_camera/image'}, fixed_frame='map'
    )
    samples = list(source.samples())
    assert source.count == len(samples) == 6
    np.testing.assert_allclose([s.time for s in samples], np.arange(6) / 10)
    assert [int(s.image[0, 0, 0]) for s in samples] == [0, 40, 80, 120, 160, 200]
    assert samples[0].camera.focal_length == 50.0  # calibrated at twice the size
    assert [s.depth is not None for s in samples] == [True, False] * 3
    assert np.isnan(samples[2].depth[0]).all() and (samples[2].depth[1:] == 3.0).all()
    # Half-way between the frames' ticks; the last tick is near enough.
    found = [s.pose[0, 3] for s in samples]
    np.testing.assert_allclose(found, [10.5, 11.5, 12.5, 13.5, 14.5, 15.0])


def test_poses_of_a_topic_and_a_selection(bag):
    source = open_bag_samples(
        bag, Selection(every=2, maximum=2), image='/camera/image', pose='/pose'
    )
    samples = list(source.samples())
    assert source.count == 2
    assert [s.pose[0, 3] for s in samples] == [100.0, 102.0]
    assert [s.name for s in samples] == ['000000', '000002']
    assert samples[0].depth is None  # that of another camera
    late = open_bag_samples(bag, Selection(2, 9, first=3), image='/camera/image')
    assert [s.name for s in late.samples()] == ['000003', '000005'] and late.count == 2


def test_each_image_has_its_own_calibration(tmp_path):
    """Cameras change their mode; drivers without a clock leave stamps of 0."""
    for name, stamped in (('stamped', 1), ('unstamped', 0)):
        with BagWriter(tmp_path / name) as writer:
            writer.add_topic('/image', 'sensor_msgs/msg/Image')
            writer.add_topic('/camera_info', 'sensor_msgs/msg/CameraInfo')
            writer.add_topic('/depth', 'sensor_msgs/msg/Image')
            for index in range(3):
                time = SECOND * (1 + index)
                rgb = np.full((48, 64, 3), index, np.uint8)
                depth = np.full((48, 64), 1.0 + index, np.float32)
                info = camera_info_message(64, 48, 50.0 + index, stamped * time)
                writer.write_message('/camera_info', time, info)
                writer.write_message('/image', time, image_message(rgb, stamped * time))
                depth_message = image_message(depth, stamped * time, encoding='32FC1')
                writer.write_message('/depth', time + SECOND // 200, depth_message)
        source = open_bag_samples(tmp_path / name, image='/image', truths={'depth': '/depth'})
        samples = list(source.samples())
        assert [s.camera.focal_length for s in samples] == [50.0, 51.0, 52.0]
        assert [s.depth[0, 0] for s in samples] == [1.0, 2.0, 3.0]
        assert [s.time for s in samples] == [0.0, 1.0, 2.0]
        written = extract_samples(tmp_path / f'{name}_files', samples)
        assert written.other_calibrations == 2


def test_faults_of_a_bag_are_named(bag):
    with pytest.raises(HydranetError, match='no topic /nothing'):
        open_bag_samples(bag, image='/camera/image', truths={'depth': '/nothing'})
    with pytest.raises(HydranetError, match='poses are read from'):
        open_bag_samples(bag, image='/camera/image', pose='/tf')
    lost = open_bag_samples(bag, image='/camera/image', fixed_frame='nowhere')
    assert next(lost.samples()).pose is None


def parsed(*arguments):
    """Parse the arguments that name an input."""
    parser = argparse.ArgumentParser()
    add_input_arguments(parser)
    return parser.parse_args([str(argument) for argument in arguments])


def test_the_commands_find_the_ground_truth_of_a_bag(tmp_path):
    path = tmp_path / 'truth'
    with BagWriter(path) as writer:
        for topic, pixels, encoding in (
            ('/camera/image_raw', np.full((48, 64, 3), 9, np.uint8), 'rgb8'),
            ('/ground_truth/depth', np.full((48, 64), 2.0, np.float32), '32FC1'),
            ('/ground_truth/segmentation', np.full((48, 64), 4, np.uint8), 'mono8'),
        ):
            writer.add_topic(topic, 'sensor_msgs/msg/Image')
            message = image_message(pixels, SECOND, encoding=encoding)
            writer.write_message(topic, SECOND, message)
    (sample,) = open_input(parsed(path)).samples()
    assert (
        (sample.image == 9).all()
        and (sample.depth == 2.0).all()
        and (sample.segmentation == 4).all()
    )
    assert sample.camera is None and sample.pose is None
    with pytest.raises(SystemExit):
        parsed(path, '--every', '0')
