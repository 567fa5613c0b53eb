# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Views of folders and bags: images with calibration, depth, labels and poses."""

import argparse

import cv2
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.bags.bag_files import BagWriter
from hydranet_ros.bags.bag_views import open_bag_views
from hydranet_ros.bags.message_types import camera_info_message, image_message, new_typestore
from hydranet_ros.camera.poses import FrameTree, pose_matrix, Track
from hydranet_ros.cli.view_arguments import add_view_arguments, open_view_source
from hydranet_ros.data.views import open_views, Selection
from hydranet_ros.errors import HydranetError

SECOND = 1_000_000_000
UNITS = st.floats(-1, 1)
QUATERNIONS = st.tuples(UNITS, UNITS, UNITS, UNITS).filter(
    lambda q: np.linalg.norm(q) > 0.1 and abs(np.dot(q, q)) > 0.01
)
MESSAGES = new_typestore().types
FRAME = 'camera_optical'


def turn(angle):
    """Return the quaternion of a turn about z."""
    return 0.0, 0.0, np.sin(angle / 2), np.cos(angle / 2)


@given(QUATERNIONS)
def test_poses_are_rigid(quaternion):
    matrix = pose_matrix((1, 2, 3), quaternion)
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_array_equal(matrix[:, 3], [1, 2, 3, 1])


def test_a_turn_is_right_handed():
    np.testing.assert_allclose(
        pose_matrix((0, 0, 0), turn(np.pi / 2))[:3, 0], [0, 1, 0], atol=1e-15
    )


@given(st.floats(0, 1), st.floats(-3, 3), st.sampled_from([1, -1]))
def test_between_two_poses_the_way_is_straight_and_short(share, angle, sign):
    track = Track()
    end = SECOND // 4
    # In any order; a quaternion and its negative are the same rotation.
    track.put(end, (4, 0, 0), np.multiply(sign, turn(angle)))
    track.put(0, (0, 0, 0), turn(0))
    time = round(share * end)
    expected = pose_matrix((4 * time / end, 0, 0), turn(angle * time / end))
    np.testing.assert_allclose(track.at(time), expected, atol=1e-9)


def test_far_from_recorded_poses_there_is_none():
    track = Track()
    assert track.at(0) is None
    track.put(10 * SECOND, (1, 0, 0), turn(0))
    track.put(12 * SECOND, (2, 0, 0), turn(0))
    assert track.at(9 * SECOND) is None
    assert track.at(11 * SECOND) is None
    assert track.at(14 * SECOND) is None
    np.testing.assert_array_equal(track.at(10 * SECOND)[:3, 3], [1, 0, 0])
    np.testing.assert_array_equal(track.at(12 * SECOND + SECOND // 5)[:3, 3], [2, 0, 0])


def test_frames_are_chained_to_the_root():
    tree = FrameTree()
    tree.put('map', 'base', 0, (1, 0, 0), turn(np.pi / 2))
    tree.put('map', 'base', SECOND // 4, (2, 0, 0), turn(np.pi / 2))
    tree.put('base', FRAME, None, (0, 0.5, 0), turn(0))
    assert tree.root(FRAME) == 'map'
    pose = tree.pose(FRAME, 'map', SECOND // 8)
    # Turned left, what is to the left of the base lies behind it in the map.
    np.testing.assert_allclose(pose[:3, 3], [1.0, 0, 0], atol=1e-12)
    assert tree.pose(FRAME, 'odom', 0) is None
    assert tree.pose('other', 'map', 0) is None
    assert tree.pose(FRAME, 'map', 5 * SECOND) is None
    np.testing.assert_array_equal(tree.pose('map', 'map', 0), np.eye(4))


def test_a_loop_of_frames_ends():
    tree = FrameTree()
    tree.put('a', 'b', None, (0, 0, 0), turn(0))
    tree.put('b', 'a', None, (0, 0, 0), turn(0))
    assert tree.root('a') in ('a', 'b')
    assert tree.pose('a', 'c', 0) is None


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
            '/depth/image': 'sensor_msgs/msg/Image',
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
                writer.write_message('/depth/image', late, message)
            tick = time - SECOND // 20
            writer.write_message('/tf', tick, moving([transform('map', 'base', tick, index)]))
            writer.write_message('/pose', time, pose_stamped(time, 100.0 + index))
    return path


def test_views_of_a_bag(bag):
    source = open_bag_views(
        bag, image_topic='/camera/image', depth_topic='/depth/image', fixed_frame='map'
    )
    views = list(source.views())
    assert source.count == len(views) == 6
    np.testing.assert_allclose([v.time for v in views], np.arange(6) / 10)
    assert [int(v.rgb[0, 0, 0]) for v in views] == [0, 40, 80, 120, 160, 200]
    assert views[0].camera.focal_length == 50.0  # calibrated at twice the size
    assert [v.depth is not None for v in views] == [True, False] * 3
    assert np.isnan(views[2].depth[0]).all() and (views[2].depth[1:] == 3.0).all()
    # Half-way between the frames' ticks; the last tick is near enough.
    found = [v.pose[0, 3] for v in views]
    np.testing.assert_allclose(found, [10.5, 11.5, 12.5, 13.5, 14.5, 15.0])


def test_poses_of_a_topic_and_a_selection(bag):
    source = open_bag_views(
        bag, Selection(every=2, maximum=2), image_topic='/camera/image', pose_topic='/pose'
    )
    views = list(source.views())
    assert source.count == 2
    assert [v.pose[0, 3] for v in views] == [100.0, 102.0]
    assert [v.name for v in views] == ['000000', '000002']
    assert views[0].depth is None
    late = open_bag_views(bag, Selection(2, 9, first=3), image_topic='/camera/image')
    assert [v.name for v in late.views()] == ['000003', '000005'] and late.count == 2


def test_faults_of_a_bag_are_named(bag):
    with pytest.raises(HydranetError, match='--image-topic'):
        open_bag_views(bag)
    with pytest.raises(HydranetError, match='no topic /nothing'):
        open_bag_views(bag, image_topic='/camera/image', depth_topic='/nothing')
    with pytest.raises(HydranetError, match='poses are read from'):
        open_bag_views(bag, image_topic='/camera/image', pose_topic='/tf')
    lost = open_bag_views(bag, image_topic='/camera/image', fixed_frame='nowhere')
    assert next(lost.views()).pose is None


def test_views_of_a_folder(tmp_path):
    for part in ('image', 'depth', 'segmentation', 'pose'):
        (tmp_path / part).mkdir()
    np.savetxt(tmp_path / 'camera-intrinsics.txt', [[50, 0, 32], [0, 50, 24], [0, 0, 1]])
    for name in ('b', 'a', 'c'):
        cv2.imwrite(str(tmp_path / 'image' / f'{name}.png'), np.zeros((48, 64, 3), np.uint8))
    depth = np.array([[0, 1000, 65535, 2500]], np.uint16)
    cv2.imwrite(str(tmp_path / 'depth' / 'a.png'), depth)
    cv2.imwrite(str(tmp_path / 'segmentation' / 'a.png'), np.full((48, 64), 7, np.uint8))
    np.savetxt(tmp_path / 'pose' / 'a.txt', np.eye(4))
    source = open_views(str(tmp_path))
    first, second, third = source.views()
    assert source.count == 3
    assert [v.name for v in (first, second, third)] == ['a', 'b', 'c']
    np.testing.assert_array_equal(first.depth, [[np.nan, 1.0, np.nan, 2.5]])
    assert (first.labels == 7).all() and first.camera.focal_length == 50.0
    np.testing.assert_array_equal(first.pose, np.eye(4))
    assert second.depth is None and second.labels is None and second.pose is None
    for selection, names in (
        (Selection(2), ['a', 'c']),
        (Selection(1, 1, first=1), ['b']),
        (Selection(first=5), []),
    ):
        chosen = open_views(str(tmp_path), selection)
        assert [v.name for v in chosen.views()] == names and chosen.count == len(names)
    (tmp_path / 'pose' / 'a.txt').write_text('1 2 3')
    with pytest.raises(HydranetError, match=r'a\.txt must hold 4'):
        next(source.views())
    cv2.imwrite(str(tmp_path / 'depth' / 'a.png'), np.zeros((4, 4), np.uint8))
    (tmp_path / 'pose' / 'a.txt').unlink()
    with pytest.raises(HydranetError, match='16-bit'):
        next(source.views())


def parsed(*arguments):
    """Parse the arguments that name views."""
    parser = argparse.ArgumentParser()
    add_view_arguments(parser)
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
    (view,) = open_view_source(parsed(path)).views()
    assert (view.rgb == 9).all() and (view.depth == 2.0).all() and (view.labels == 4).all()
    assert view.camera is None and view.pose is None
    with pytest.raises(SystemExit):
        parsed(path, '--every', '0')


def test_images_alone_are_views_too(tmp_path):
    for index in range(5):
        cv2.imwrite(str(tmp_path / f'{index}.png'), np.zeros((48, 64, 3), np.uint8))
    source = open_views(str(tmp_path), Selection(2, 2), focal_length=70.0)
    views = list(source.views())
    assert [v.name for v in views] == ['0', '2'] and source.count == 2
    assert views[0].camera.matrix[0].tolist() == [70.0, 0.0, 31.5]
    assert next(open_views(str(tmp_path)).views()).camera is None
