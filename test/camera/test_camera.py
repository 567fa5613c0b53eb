# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras: scaling, lenses, and points from depth."""

from dataclasses import replace

import cv2
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st
import numpy as np
import pytest

from hydranet_ros.camera.camera import Camera, depth_to_millimetres, depth_to_points
from hydranet_ros.errors import HydranetError

MATRIX = np.array([[700.0, 0, 610], [0, 710, 180], [0, 0, 1]])
PROJECTION = np.hstack([MATRIX, [[-380.0], [2.0], [0.003]]])
CAMERA = Camera(1240, 370, MATRIX, PROJECTION)
SIZES = st.tuples(st.integers(1, 4000), st.integers(1, 4000))


@given(SIZES)
def test_a_ray_stays_on_the_same_place_of_the_picture(size):
    scaled = CAMERA.scaled(*size)
    point = np.array([0.4, -0.2, 1.0])
    for camera_matrix, scaled_matrix, p in (
        (MATRIX, scaled.matrix, point),
        (PROJECTION, scaled.projection, np.append(3 * point, 1.0)),
    ):
        before, after = camera_matrix @ p, scaled_matrix @ p
        before, after = before[:2] / before[2] + 0.5, after[:2] / after[2] + 0.5
        # Pixel edges, relative to the image size.
        np.testing.assert_allclose(after / size, before / (1240, 370), rtol=1e-9)


@given(SIZES)
def test_there_and_back(size):
    back = CAMERA.scaled(*size).scaled(1240, 370)
    np.testing.assert_allclose(back.matrix, MATRIX, rtol=1e-9)
    np.testing.assert_allclose(back.projection, PROJECTION, rtol=1e-9)
    assert (back.width, back.height) == (1240, 370)


def test_agrees_with_cv2_resize():
    # A blob drawn at a known position appears where the scaled camera projects it.
    y, x = np.mgrid[0:370, 0:1240]
    image = np.exp(-((x - 700.0) ** 2 + (y - 150.0) ** 2) / 200).astype(np.float32)
    small = cv2.resize(image, (310, 185), interpolation=cv2.INTER_AREA)
    v, u = np.mgrid[0:185, 0:310]
    found = np.array([(u * small).sum(), (v * small).sum()]) / small.sum()
    ray = np.linalg.inv(MATRIX) @ [700, 150, 1]
    expected = CAMERA.scaled(310, 185).matrix @ ray
    np.testing.assert_allclose(found, expected[:2], atol=0.01)


def test_focal_length():
    assert CAMERA.focal_length == 700.0
    assert CAMERA.scaled(620, 370).focal_length == 350.0
    assert Camera(640, 480, np.zeros((3, 3)), np.zeros((3, 4))).focal_length is None
    assert Camera(640, 480, np.full((3, 3), np.nan), np.zeros((3, 4))).focal_length is None


LENSES = st.tuples(
    st.floats(-0.35, 0.3), st.floats(-0.1, 0.1), st.floats(-2e-3, 2e-3), st.floats(-2e-3, 2e-3)
)


def through_opencv(camera, rays):
    """Project rays into the image with OpenCV's independent lens model."""
    return cv2.projectPoints(
        rays.reshape(-1, 1, 3).astype(np.float64),
        np.zeros(3),
        np.zeros(3),
        camera.matrix,
        camera.distortion,
    )[0].reshape(*rays.shape[:2], 2)


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [
        ('plumb_bob', [-0.3, 0.12, 1e-4, -2e-3, -0.02]),  # a wide street camera
        ('plumb_bob', [0.12, -0.05, 0, 0]),
        ('rational_polynomial', [8.1, 3.9, -4e-5, 6e-5, 0.18, 8.4, 5.8, 0.94]),  # a depth camera
    ],
)
def test_rays_of_a_lens_agree_with_opencv(model, coefficients):
    camera = replace(CAMERA, distortion_model=model, distortion=np.array(coefficients))
    rays = camera.rays(stride=7)
    assert rays.shape == (53, 178, 3) and rays.dtype == np.float32
    assert np.isfinite(rays).all()
    v, u = np.mgrid[0:370:7, 0:1240:7]
    # float32 rays at a focal length of 700 px.
    np.testing.assert_allclose(through_opencv(camera, rays), np.dstack([u, v]), atol=2e-3)


@settings(max_examples=30, deadline=None)
@given(LENSES)
def test_a_ray_is_right_or_nan(lens):
    camera = replace(CAMERA, distortion=np.array(lens))
    rays = camera.rays(stride=23)
    found = np.isfinite(rays).all(axis=2)
    assert (found == np.isfinite(rays).any(axis=2)).all()
    v, u = np.mgrid[0:370:23, 0:1240:23]
    error = np.abs(through_opencv(camera, np.nan_to_num(rays)) - np.dstack([u, v])).max(axis=2)
    assert error[found].max(initial=0.0) < 2e-2
    # Near the centre every pixel has a ray.
    assert found[np.hypot(u - 610, v - 180) < 300].all()


def test_behind_the_fold_of_a_lens_there_is_no_ray():
    # r (1 - r^2 / 2) has its maximum 0.544 at r = 0.816; no point is seen farther out.
    camera = replace(CAMERA, distortion=np.array([-0.5, 0, 0, 0, 0]))
    rays = camera.rays()
    v, u = np.mgrid[0:370, 0:1240]
    seen = np.hypot((u - 610) / 700, (v - 180) / 710)
    inside, found = seen < 0.544, np.isfinite(rays[..., 0])
    assert (found[np.abs(seen - 0.5443) > 1e-3] == inside[np.abs(seen - 0.5443) > 1e-3]).all()
    assert np.nanmax(np.hypot(rays[..., 0], rays[..., 1])) < 0.8166


def test_without_a_lens_rays_are_those_of_the_matrix():
    for model in ('plumb_bob', '', 'equidistant'):
        rays = replace(CAMERA, distortion_model=model, distortion=np.zeros(5)).rays(stride=3)
        v, u = np.mgrid[0:370:3, 0:1240:3]
        np.testing.assert_allclose(rays[..., 0], (u - 610) / 700, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(rays[..., 1], (v - 180) / 710, rtol=1e-6, atol=1e-7)
        assert (rays[..., 2] == 1).all()


def test_rectified_images_have_the_camera_of_p():
    distorted = replace(CAMERA, distortion=np.array([-0.3, 0.1]))
    ideal = distorted.rectified()
    np.testing.assert_array_equal(ideal.matrix, PROJECTION[:, :3])
    assert np.isfinite(ideal.rays(50)).all()
    # Drivers that never rectify leave P zero.
    bare = replace(distorted, projection=np.zeros((3, 4))).rectified()
    np.testing.assert_array_equal(bare.matrix, MATRIX)


def test_unusable_calibrations_are_named():
    with pytest.raises(HydranetError, match='not calibrated'):
        Camera(64, 48, np.zeros((3, 3)), np.zeros((3, 4))).rays()
    fisheye = replace(CAMERA, distortion_model='equidistant', distortion=np.full(4, 0.1))
    with pytest.raises(HydranetError, match=r"'equidistant'.*rectify"):
        fisheye.rays()
    thin_prism = replace(
        CAMERA, distortion_model='rational_polynomial', distortion=np.full(12, 0.01)
    )
    with pytest.raises(HydranetError, match='12 coefficients'):
        thin_prism.rays()


def test_points_are_those_of_depth_image_proc():
    # As depth_image_proc computes from depth and camera_info of a rectified image: fx, fy, cx,
    # cy from P, x = (u - cx) z / fx.
    depth = np.random.default_rng(5).uniform(0.4, 60, (370, 1240)).astype(np.float32)
    fx, fy, cx, cy = PROJECTION[0, 0], PROJECTION[1, 1], PROJECTION[0, 2], PROJECTION[1, 2]
    v, u = np.mgrid[0:370, 0:1240]
    expected = np.dstack([(u - cx) * depth / fx, (v - cy) * depth / fy, depth])
    points = depth_to_points(depth, CAMERA.rectified().rays())
    np.testing.assert_allclose(points, expected, rtol=1e-5, atol=1e-5)


# The hypothesis of Debian 12 sometimes takes these few numbers for large examples.
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
@given(
    st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
    st.floats(0.5, 40),
    st.tuples(st.integers(16, 700), st.integers(16, 400)),
    st.integers(1, 5),
    LENSES,
)
def test_a_plane_stays_a_plane(tilt, distance, size, stride, lens):
    # For any resolution, stride and lens: n · X = d for every pixel on the plane.
    camera = replace(CAMERA, distortion=np.array(lens)).scaled(*size)
    normal = np.array([*tilt, 1.0])
    rays = camera.rays()
    with np.errstate(divide='ignore'):
        depth = (distance / (rays @ normal)).astype(np.float32)
    points = depth_to_points(depth, camera.rays(stride), stride)
    assert points.shape == (-(-size[1] // stride), -(-size[0] // stride), 3)
    seen = np.isfinite(points[..., 0])
    assert (seen == (depth > 0)[::stride, ::stride]).all()
    heights = points[seen].astype(np.float64) @ normal
    extent = np.abs(points[seen]).max(axis=1, initial=1.0)
    assert (np.abs(heights - distance) <= 1e-5 * (extent + distance)).all()


def test_invalid_and_far_depth_is_nan():
    rays = CAMERA.scaled(8, 4).rays()
    depth = np.full((4, 8), 2.0, np.float32)
    depth[0, :4] = np.nan, np.inf, 0.0, -1.0
    depth[1, 0] = 9.0
    points = depth_to_points(depth, rays, maximum_range=5.0)
    missing = np.isnan(points)
    assert (missing.all(axis=2) == missing.any(axis=2)).all()
    assert missing[0, :4].all() and missing[1, 0].all() and missing.sum() == 15
    # The range is the distance from the camera, not the depth along z.
    corner = np.linalg.norm(2 * rays[3, 7])
    assert np.isnan(depth_to_points(depth, rays, maximum_range=corner - 1e-3)[3, 7]).all()
    assert np.isfinite(depth_to_points(depth, rays, maximum_range=corner + 1e-3)[3, 7]).all()
    with pytest.raises(ValueError, match='does not fit'):
        depth_to_points(depth, rays, stride=2)


@given(numpy_st.arrays(np.float32, (4, 5), elements=st.floats(width=32)))
def test_millimetres_are_right_or_invalid(depth):
    millimetres = depth_to_millimetres(depth)
    assert millimetres.dtype == np.uint16
    inside = millimetres > 0
    np.testing.assert_allclose(millimetres[inside], depth[inside] * 1e3, rtol=1e-6, atol=0.501)
    with np.errstate(invalid='ignore'):
        must_be_valid = (depth > 0.0006) & (depth < 65.5349)
    assert inside[must_be_valid].all()
