# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Poses: interpolated along a track, and chained in a tree of frames."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.camera.poses import FrameTree, pose_matrix, Track

SECOND = 1_000_000_000
UNITS = st.floats(-1, 1)
QUATERNIONS = st.tuples(UNITS, UNITS, UNITS, UNITS).filter(
    lambda q: np.linalg.norm(q) > 0.1 and abs(np.dot(q, q)) > 0.01
)
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
    # After a left turn, a point to the left of the base is behind it in the map.
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
