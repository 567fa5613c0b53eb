# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Fusing depth along poses, and judging what came of it, where the truth is known."""

from dataclasses import replace
import json

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.camera.camera import depth_to_points, pinhole
from hydranet_ros.cli.main import main
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.reconstruction.fusion import SparseTable, Surface, VoxelMap
from hydranet_ros.evaluation.reconstruction.reconstruct import (
    compare,
    FusionOptions,
    reconstruct,
    usable_pixels,
)
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.pictures.point_renderer import draw_points, look_at
from hydranet_ros.runtime.predictor import Prediction

CAMERA = pinhole(160, 120, np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]]))
UP = np.array([0.0, 0, 1])
ROOM = np.array([[-2.0, -1.5, 0.0], [2.0, 1.5, 2.4]])
"""Corners of a room, metres."""
OPTIONS = FusionOptions(voxel_size=0.04, stride=1, maximum_depth=6.0, border=0)


def depth_of_room(pose):
    """Return the depth and the number of the wall (0 to 5) that a camera in the room sees."""
    rays = CAMERA.rays().astype(np.float64) @ pose[:3, :3].T
    with np.errstate(divide='ignore'):
        reach = (ROOM[:, None, None] - pose[:3, 3]) / rays
    reach[reach <= 0] = np.inf
    reach = np.moveaxis(reach, 3, 1).reshape(6, *rays.shape[:2])
    return reach.min(axis=0).astype(np.float32), reach.argmin(axis=0).astype(np.uint8)


def samples(count=8):
    """Return samples around the room."""
    result = []
    for index in range(count):
        angle = 2 * np.pi * index / count
        eye = np.array([0.3 * np.cos(angle), 0.2, 1.2])
        pose = look_at(eye, eye + np.array([np.cos(angle), np.sin(angle), -0.2]), UP)
        depth, walls = depth_of_room(pose)
        rgb = np.repeat((walls * 40)[..., None], 3, axis=2)
        result.append(
            Sample(f'{index}', rgb, segmentation=walls, depth=depth, camera=CAMERA, pose=pose)
        )
    return result


def perfect(sample):
    """Predict what was measured."""
    return Prediction(depth=sample.depth, labels=sample.segmentation)


def distance_to_room(points):
    """Return how far points lie from the nearest wall."""
    return np.abs(points[:, None] - ROOM).reshape(len(points), 6).min(axis=1)


def test_the_surface_lies_on_the_walls():
    surface = reconstruct(samples(), perfect, OPTIONS).predicted
    assert len(surface.points) > 5000
    distance = distance_to_room(surface.points)
    # Well below the voxels' 4 cm; in the corners two walls share voxels.
    assert np.median(distance) < 1e-3
    assert (distance < 0.02).mean() > 0.98
    # The right wall's label and colour on the points of each wall, off the corners.
    walls = np.abs(surface.points[:, None] - ROOM).reshape(-1, 6)
    clear = np.partition(walls, 1, axis=1)[:, 1] > 0.15
    nearest = walls.argmin(axis=1)[clear]
    order = np.array([0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(surface.labels[clear], order[nearest])
    np.testing.assert_array_equal(surface.colors[clear, 0], 40 * nearest)


def test_fusion_averages_noise():
    generator = np.random.default_rng(3)

    def noisy(sample):
        # 2 % that a neighbourhood has in common, as networks err: 4 cm at 2 m.
        noise = cv2.resize(generator.standard_normal((15, 20)), (160, 120))
        return Prediction(depth=(sample.depth * (1 + 0.02 * noise)).astype(np.float32))

    errors = [
        distance_to_room(reconstruct(samples(1) * count, noisy, OPTIONS).predicted.points).mean()
        for count in (1, 9)
    ]
    # Independent errors would come to a third.
    assert errors[1] < 0.5 * errors[0]


def test_images_may_come_in_any_order():
    forward = reconstruct(samples(4), perfect, OPTIONS).predicted
    backward = reconstruct(samples(4)[::-1], perfect, OPTIONS).predicted
    np.testing.assert_allclose(forward.points, backward.points, atol=1e-5)
    np.testing.assert_array_equal(forward.labels, backward.labels)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(-100, 100)), max_size=60),
    st.integers(1, 7),
)
def test_sums_by_key_do_not_depend_on_portions(rows, portion):
    table = SparseTable(2)
    for start in range(0, len(rows), portion):
        part = np.array(rows[start : start + portion], np.int64)
        table.add(part[:, 0], np.column_stack([part[:, 1], np.ones(len(part))]))
    expected = {key: (0, 0) for key, _ in rows}
    for key, value in rows:
        expected[key] = (expected[key][0] + value, expected[key][1] + 1)
    keys, sums = table.sums()
    assert dict(zip(keys.tolist(), map(tuple, sums.tolist()), strict=True)) == expected
    assert keys.tolist() == sorted(expected)


def test_labels_are_voted_on():
    field = VoxelMap(0.05)
    depth, _ = depth_of_room(samples()[0].pose)
    points = depth_to_points(depth, CAMERA.rays()).reshape(-1, 3)
    colors = np.zeros_like(points, np.uint8)
    for label in (3, 7, 7, 255, 255, 255):
        field.integrate(points, colors, np.full(len(points), label), np.eye(4))
    labels = field.surface().labels
    assert (labels == 7).mean() > 0.99
    assert not (labels == 3).any()


def test_edges_far_and_missing_depth_are_left_out():
    depth = np.full((20, 30), 2.0, np.float32)
    depth[:, 15:] = 3.0
    depth[5, 5] = np.nan
    usable = usable_pixels(depth, FusionOptions(maximum_depth=2.5, edge=0.05, border=0))
    expected = np.zeros_like(usable)
    expected[:, :14] = True  # column 14 touches the edge, what lies behind it is too far
    expected[5, 5] = False
    np.testing.assert_array_equal(usable, expected)
    framed = usable_pixels(depth, FusionOptions(maximum_depth=2.5, edge=0.05, border=3))
    np.testing.assert_array_equal(framed[3:-3, 3:-3], expected[3:-3, 3:-3])
    assert framed.sum() == expected[3:-3, 3:-3].sum()


def plane(shift=0.0, extent=1.0):
    """Return a surface of points on a square."""
    x, y = np.mgrid[0 : 50 * extent, 0:50] / 50.0
    points = np.stack([x, y, np.full_like(x, shift)], axis=-1).reshape(-1, 3).astype(np.float32)
    return Surface(points, np.zeros(points.shape, np.uint8), np.zeros(len(points), np.uint8))


def test_comparison_of_shifted_planes():
    comparison = compare(plane(0.03), plane())
    for distance in (comparison.accuracy, comparison.completeness, comparison.accuracy_median):
        assert distance == pytest.approx(0.03, abs=1e-6)
    assert comparison.f_score == 1.0
    strict = compare(plane(0.03), plane(), threshold=0.02)
    assert (strict.precision, strict.recall, strict.f_score) == (0.0, 0.0, 0.0)


def test_comparison_tells_missing_from_invented():
    half, whole = plane(extent=0.5), plane()
    missing, invented = compare(half, whole, 0.019), compare(whole, half, 0.019)
    assert (missing.precision, missing.recall) == (1.0, 0.5)
    assert (invented.precision, invented.recall) == (0.5, 1.0)
    assert missing.f_score == pytest.approx(2 / 3) == invented.f_score
    empty = Surface(*(array[:0] for array in (half.points, half.colors, half.labels)))
    with pytest.raises(HydranetError, match='without points'):
        compare(empty, whole)


def test_a_wrong_scale_is_seen():
    result = reconstruct(
        samples(4), lambda sample: Prediction(depth=sample.depth * np.float32(1.1)), OPTIONS
    )
    assert result.depth_ratio == pytest.approx(1.1, rel=1e-3)
    comparison = compare(result.predicted, result.measured)
    assert 0.05 < comparison.accuracy < 0.4
    assert comparison.f_score < 0.6
    perfect_result = reconstruct(samples(4), perfect, OPTIONS)
    assert compare(perfect_result.predicted, perfect_result.measured).f_score == 1.0
    assert (result.predicted.labels == 255).all()


def test_only_measured_pixels_are_compared():
    def halved(sample):
        depth = sample.depth.copy()
        depth[:, :80] = np.nan
        return replace(sample, depth=depth, segmentation=None)

    truth = samples(1)[0]
    result = reconstruct([halved(truth)], lambda _: Prediction(depth=truth.depth), OPTIONS)
    assert compare(result.predicted, result.measured).precision == 1.0


def test_faults_are_named():
    sample = samples(1)[0]
    unposed = replace(sample, name='a', pose=None)
    with pytest.raises(HydranetError, match='a has no pose'):
        reconstruct([unposed], perfect, OPTIONS)
    result = reconstruct([*samples(4), unposed], perfect, OPTIONS)
    assert result.views == 4 and result.without_pose == ['a']
    uncalibrated = replace(sample, name='a', camera=None)
    with pytest.raises(HydranetError, match='a has no calibration'):
        reconstruct([uncalibrated], perfect, OPTIONS)
    with pytest.raises(HydranetError, match='no depth'):
        reconstruct([sample], lambda _: Prediction(labels=sample.segmentation), OPTIONS)
    with pytest.raises(HydranetError, match='no surface'):
        reconstruct([sample], perfect, FusionOptions(maximum_depth=0.1))
    with pytest.raises(HydranetError, match='larger voxels'):
        VoxelMap(1e-6).integrate(np.ones((1, 3), np.float32), np.zeros((1, 3)), None, np.eye(4))


def test_points_are_drawn_where_the_camera_sees_them():
    pose = look_at(np.array([1.0, 2.0, 3.0]), np.array([4.0, -1.0, 1.0]), UP)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose) == pytest.approx(1)
    assert pose[:3, 1] @ UP < 0  # y is down in the picture
    near, far, behind = (pose[:3, 3] + pose[:3, :3] @ [0.02, -0.01, z] for z in (1, 2, -1))
    red, green, blue = np.eye(3, dtype=np.uint8) * 255
    picture = draw_points(
        np.array([near, far + (near - pose[:3, 3]), behind], np.float32),
        np.array([red, green, blue]),
        CAMERA,
        pose,
        size=0.01,
    )
    v, u = np.argwhere((picture == red).all(axis=2)).mean(axis=0)
    # A square of an even edge has its centre between pixels.
    np.testing.assert_allclose((u, v), (79.5 + 150 * 0.02, 59.5 - 150 * 0.01), atol=0.6)
    assert not (picture == blue).all(axis=2).any()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Write samples as a folder, depth in steps of 0.2 mm."""
    path = tmp_path_factory.mktemp('room')
    for part in ('image', 'depth', 'segmentation', 'pose'):
        (path / part).mkdir()
    np.savetxt(path / 'camera-intrinsics.txt', CAMERA.matrix)
    for sample in samples():
        cv2.imwrite(str(path / 'image' / f'{sample.name}.png'), sample.image)
        steps = np.rint(sample.depth * 5000).astype(np.uint16)
        cv2.imwrite(str(path / 'depth' / f'{sample.name}.png'), steps)
        cv2.imwrite(str(path / 'segmentation' / f'{sample.name}.png'), sample.segmentation)
        np.savetxt(path / 'pose' / f'{sample.name}.txt', sample.pose)
    return path


def test_command_writes_surfaces_picture_and_figures(folder, tmp_path, capsys):
    model = tmp_path / 'model.safetensors'
    save_bundle(model, published_bundle('nyud40', depth_range=(0.5, 5.0)))
    output = tmp_path / 'out'
    arguments = ['reconstruct', str(model), str(folder), '-o', str(output), '--every', '4']
    arguments += ['--backend', 'torch']
    assert main([*arguments, '--depth-unit', '0.0002', '--edge', '10', '--voxel', '0.05']) == 0
    printed = capsys.readouterr().out
    assert '2 views' in printed and 'F-score' in printed
    figures = json.loads((output / 'comparison.json').read_text())
    assert figures['views'] == 2 and 0 <= figures['f_score'] <= 1
    header = (output / 'predicted.ply').read_bytes().split(b'end_header\n')[0].decode()
    assert 'comment label 0 wall' in header
    assert (output / 'classes.ply').stat().st_size == (output / 'predicted.ply').stat().st_size
    measured = output / 'measured.ply'
    vertices = int(measured.read_bytes().split(b'element vertex ')[1].split(b'\n')[0])
    assert vertices > 500
    picture = cv2.imread(str(output / 'reconstruction.png'))
    assert picture.shape == (1080, 1440, 3)
    # The measured room, in its walls' greys, fills a good part of its panel.
    assert (picture[600:1040, 40:680] != 24).any(axis=2).mean() > 0.2


def test_command_names_what_is_missing(folder, tmp_path, capsys):
    model = tmp_path / 'model.safetensors'
    save_bundle(model, published_bundle('nyud40'))
    base = ['reconstruct', str(model), '--backend', 'torch', '-o', str(tmp_path / 'out')]
    assert main([*base, str(folder / 'image')]) == 1
    assert 'has no pose' in capsys.readouterr().err
    assert main([*base, str(tmp_path / 'nowhere')]) == 1
    assert 'nowhere' in capsys.readouterr().err
