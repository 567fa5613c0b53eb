# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Organised clouds and PLY files."""

import numpy as np
import pytest

from hydranet_ros.camera.camera import pinhole, RayTable
from hydranet_ros.camera.points import organized_cloud, POINT
from hydranet_ros.errors import HydranetError
from hydranet_ros.pictures.ply import write_ply

CAMERA = pinhole(64, 48, np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]))
GENERATOR = np.random.default_rng(0)
RGB = GENERATOR.integers(0, 256, (48, 64, 3)).astype(np.uint8)
LABELS = GENERATOR.integers(0, 40, (48, 64)).astype(np.uint8)
DEPTH = GENERATOR.uniform(1, 9, (48, 64)).astype(np.float32)


def test_type_of_a_point():
    # What PCL's PointXYZRGBL and rviz's RGB8 transformer look for.
    assert POINT.itemsize == 20
    assert [(n, POINT.fields[n][1], POINT[n].str) for n in POINT.names] == [
        ('x', 0, '<f4'),
        ('y', 4, '<f4'),
        ('z', 8, '<f4'),
        ('rgb', 12, '<f4'),
        ('label', 16, '<u4'),
    ]


def test_each_pixel_has_its_point_color_and_label():
    stride = 3
    cloud = organized_cloud(DEPTH, CAMERA.rays(stride), RGB, LABELS, stride=stride)
    assert cloud.shape == (16, 22)
    row, column = 5, 7
    point, pixel = cloud[row, column], (stride * row, stride * column)
    z = DEPTH[pixel]
    assert point['z'] == z
    assert point['x'] == pytest.approx((21 - 31.5) * z / 50, rel=1e-6)
    assert point['y'] == pytest.approx((15 - 23.5) * z / 50, rel=1e-6)
    assert point['label'] == LABELS[pixel]
    # In memory: blue, green, red, 0.
    assert tuple(point['rgb'].tobytes()) == (*RGB[pixel][::-1].tolist(), 0)


def test_without_labels_points_are_unlabelled():
    cloud = organized_cloud(DEPTH, CAMERA.rays(), RGB, LABELS, maximum_range=5.0)
    far = np.isnan(cloud['x'])
    assert far.any() and not far.all()
    assert (np.isnan(cloud['z']) == far).all()


def test_rays_are_computed_once_for_a_camera():
    table = RayTable()
    first = table.rays(CAMERA)
    same = pinhole(64, 48, CAMERA.matrix.copy())
    assert table.rays(same) is first
    for other, stride in ((CAMERA, 2), (CAMERA.scaled(32, 24), 1)):
        assert table.rays(other, stride) is not first
        np.testing.assert_array_equal(table.rays(other, stride), other.rays(stride))


def read_ply(path):
    """Read a binary PLY of one element with its header."""
    header, _, body = path.read_bytes().partition(b'end_header\n')
    lines = header.decode('ascii').splitlines()
    assert lines[:2] == ['ply', 'format binary_little_endian 1.0']
    types = {'float': '<f4', 'uchar': 'u1'}
    (count,) = (int(line.split()[2]) for line in lines if line.startswith('element vertex'))
    properties = [line.split()[1:] for line in lines if line.startswith('property')]
    vertices = np.frombuffer(body, [(name, types[kind]) for kind, name in properties])
    assert len(vertices) == count
    return vertices, [line for line in lines if line.startswith('comment')]


def test_ply(tmp_path):
    points = GENERATOR.standard_normal((100, 3)).astype(np.float32)
    path = tmp_path / 'new' / 'cloud.ply'
    write_ply(path, points, RGB[0, :50].repeat(2, 0), LABELS[0, :50].repeat(2), ('wall', 'floor'))
    vertices, comments = read_ply(path)
    for index, axis in enumerate('xyz'):
        np.testing.assert_array_equal(vertices[axis], points[:, index])
    np.testing.assert_array_equal(vertices['green'], RGB[0, :50, 1].repeat(2))
    np.testing.assert_array_equal(vertices['label'], LABELS[0, :50].repeat(2))
    assert comments == ['comment label 0 wall', 'comment label 1 floor']
    with pytest.raises(HydranetError, match='cannot be written'):
        write_ply(path / 'below.ply', points, RGB[0, :50].repeat(2, 0), LABELS[0, :50].repeat(2))
