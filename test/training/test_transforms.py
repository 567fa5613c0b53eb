# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of augmentation: what happens to depth, normals, labels, and to what is unknown."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

from hydranet_ros.camera.camera import ideal_camera
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.resizing import rescale, stretch_world
from hydranet_ros.training.transforms import (
    augment,
    Augmentation,
    crop,
    flip,
    jitter,
    Stretch,
    to_canonical,
)

CAMERA_HEIGHT = 1.5


def photograph(
    fx: float,
    height: int = 120,
    width: int = 160,
    *,
    horizon: float | None = None,
    slant: float = 0.3,
    lean: float = 0.0,
) -> Sample:
    """
    Render a road and a wall by a pinhole camera: an oblique plane below, a slanted one beyond.

    The wall's points have Z = 12 - slant X, and above the camera Z = 12 - slant X - lean Y.
    Colours are the world coordinates of what is seen, so that equal colours are equal points.
    """
    v, u = np.mgrid[:height, :width]
    x = (u + 0.5 - width / 2) / fx
    y = (v + 0.5 - (height / 2 if horizon is None else horizon)) / fx
    road = np.where(y > 1e-6, CAMERA_HEIGHT / np.maximum(y, 1e-6), np.inf)
    wall = 12.0 / (1.0 + slant * x + lean * np.minimum(y, 0))
    depth = np.minimum(road, wall)
    colors = np.stack([x * depth * 10 + 128, y * depth * 10 + 128, depth * 10], axis=2)
    facing = -np.stack(np.broadcast_arrays(slant, np.where(y < 0, lean, 0.0), 1.0), axis=2)
    facing /= np.linalg.norm(facing, axis=2, keepdims=True)
    tangent = np.where((road < wall)[..., None], [0.0, -1.0, 0.0], facing)
    return Sample(
        name='scene',
        image=np.clip(colors, 0, 255).astype(np.uint8),
        segmentation=np.where(road < wall, 3, 1).astype(np.uint8),
        label_set='camvid11',
        depth=depth.astype(np.float32),
        normals=tangent.astype(np.float32),
        camera=ideal_camera(width, height, fx),
    )


def middle(array: NDArray, rows: int, columns: int) -> NDArray:
    """Return the central part of an image."""
    top, left = (array.shape[0] - rows) // 2, (array.shape[1] - columns) // 2
    return array[top : top + rows, left : left + columns]


@pytest.mark.parametrize('factor', [0.5, 1.5, 2.0])
def test_scaled_photograph_is_one_by_a_scaled_focal_length(factor: float) -> None:
    """A picture resized by s and one taken with s fx agree in depth and in canonical depth."""
    scaled = rescale(photograph(100.0, 160, 240), factor)
    taken = photograph(100.0 * factor, 160, 240)
    assert scaled.fx == pytest.approx(taken.fx)
    rows, columns = 70, 110
    for one, other in (
        (scaled, taken),
        (to_canonical(scaled, 500.0), to_canonical(taken, 500.0)),
    ):
        assert one.depth is not None and other.depth is not None
        ratio = middle(one.depth, rows, columns) / middle(other.depth, rows, columns)
        # The nearest pixel is up to a pixel off, which near the horizon is much of the depth.
        assert np.median(np.abs(ratio - 1)) < 0.01
        assert np.mean(np.abs(ratio - 1) < 0.06) > 0.9


def test_canonical_depth_comes_back_to_metres_for_each_camera() -> None:
    """Metres to canonical depth and, as the predictor does it, back: for each camera by its fx."""
    wide, long = photograph(100.0), photograph(200.0)
    assert wide.depth is not None and long.depth is not None
    canonical = to_canonical(wide, 500.0).depth
    assert canonical is not None
    np.testing.assert_allclose(canonical, wide.depth * 5.0, rtol=1e-6)
    # Back to metres as the predictor does it: times fx / canonical.
    np.testing.assert_allclose(canonical * (100.0 / 500.0), wide.depth, rtol=1e-6)
    longer = to_canonical(long, 500.0).depth
    assert longer is not None
    np.testing.assert_allclose(longer * (200.0 / 500.0), long.depth, rtol=1e-6)


@pytest.mark.parametrize('factor', [0.5, 1.25, 2.0])
def test_without_canonical_focal_depth_is_divided_by_the_scale(factor: float) -> None:
    """For one camera, what is twice as large is half as far; as canonical depth says too."""
    sample = photograph(100.0)
    as_one_camera = rescale(sample, factor, one_camera=True)
    as_canonical = to_canonical(rescale(sample, factor), 100.0)
    assert as_one_camera.fx == 100.0
    assert as_one_camera.depth is not None and as_canonical.depth is not None
    np.testing.assert_allclose(as_one_camera.depth, as_canonical.depth, rtol=1e-6)


@pytest.mark.parametrize(('wide', 'tall'), [(1.5, 2.0), (0.75, 0.5), (2.0, 1.0)])
def test_stretched_photograph_is_one_of_a_stretched_world(wide: float, tall: float) -> None:
    """Wider, and taller above eye level: the picture of a wall that slants and leans less."""
    stretched = stretch_world(photograph(100.0, lean=0.4), wide, tall, 60)
    above = round(60 * tall)
    taken = photograph(
        100.0, above + 60, round(160 * wide), horizon=above, slant=0.3 / wide, lean=0.4 / tall
    )
    assert stretched.fx == taken.fx
    assert stretched.image.shape == taken.image.shape
    assert stretched.depth is not None and taken.depth is not None
    ratio = stretched.depth / taken.depth
    assert np.quantile(np.abs(ratio - 1), 0.95) < 0.02
    assert stretched.segmentation is not None and taken.segmentation is not None
    assert np.mean(stretched.segmentation == taken.segmentation) > 0.97
    assert stretched.normals is not None and taken.normals is not None
    same = stretched.segmentation == taken.segmentation
    cosine = np.sum(stretched.normals * taken.normals, axis=2)[same]
    assert cosine.min() > 0.9999


@pytest.mark.parametrize('one_camera', [False, True])
def test_stretched_and_resized_at_once_is_as_one_after_the_other(one_camera: bool) -> None:
    """Size, depth and focal length of both are the same, and the images nearly so."""
    sample = photograph(100.0)
    at_once = stretch_world(sample, 1.5, 2.0, 60, factor=1.25, one_camera=one_camera)
    in_turn = rescale(stretch_world(sample, 1.5, 2.0, 60), 1.25, one_camera)
    assert at_once.image.shape == in_turn.image.shape
    assert at_once.fx == pytest.approx(in_turn.fx)
    assert at_once.depth is not None and in_turn.depth is not None
    assert np.quantile(np.abs(at_once.depth / in_turn.depth - 1), 0.95) < 0.02
    difference = np.abs(at_once.image.astype(float) - in_turn.image)
    assert np.median(difference) < 2


def test_what_grows_in_one_direction_and_shrinks_in_the_other_is_averaged() -> None:
    """Noise at twice the width and half the height: rows are averaged, none is skipped."""
    rng = np.random.default_rng(0)
    noise = Sample('noise', rng.integers(0, 256, (200, 100, 3), dtype=np.uint8))
    stretched = stretch_world(noise, 4.0, 1.0, 100, factor=0.5).image
    averaged = noise.image.reshape(100, 2, 100, 3).mean(axis=1)
    assert stretched.shape == (100, 200, 3)
    assert stretched.std() < 1.05 * averaged.std() < 0.8 * noise.image.std()


def test_flip_mirrors_all_and_negates_the_normals_x() -> None:
    """The flipped sample is the mirrored world: normals point the other way in x alone."""
    sample = photograph(100.0)
    mirrored = flip(sample)
    assert mirrored.normals is not None and sample.normals is not None
    np.testing.assert_array_equal(mirrored.image, sample.image[:, ::-1])
    np.testing.assert_array_equal(mirrored.normals[..., 0], -sample.normals[:, ::-1, 0])
    np.testing.assert_array_equal(mirrored.normals[..., 1:], sample.normals[:, ::-1, 1:])
    again = flip(mirrored)
    for field in ('image', 'segmentation', 'depth', 'normals'):
        np.testing.assert_array_equal(getattr(again, field), getattr(sample, field))


def points(sample: Sample) -> NDArray:
    """Return what the sample's camera sees in each pixel, metres."""
    assert sample.camera is not None and sample.depth is not None
    assert (sample.camera.height, sample.camera.width) == sample.image.shape[:2]
    return sample.camera.rays() * sample.depth[..., None]


@pytest.mark.parametrize(
    ('change', 'factors'),
    [
        (lambda sample: rescale(sample, 1.5), (1, 1)),
        (lambda sample: crop(sample, 50, 70, 40, 60), (1, 1)),
        (flip, (-1, 1)),
        (lambda sample: flip(crop(sample, 60, 80, 50, 30)), (-1, 1)),
        (lambda sample: stretch_world(sample, 1.4, 1.0, 60, factor=1.3), (1.4, 1)),
        (lambda sample: stretch_world(sample, 0.7, 1.0, 60), (0.7, 1)),
    ],
)
def test_the_camera_follows_the_image(
    change: Callable[[Sample], Sample], factors: tuple[float, float]
) -> None:
    """The colours tell where each point is: the changed camera still sees it there."""
    changed = change(photograph(100.0))
    colors = (changed.image[..., :2].astype(float) - 127.5) / 10
    difference = np.abs(points(changed)[..., :2] - colors * factors)
    assert np.median(difference) < 0.06
    assert np.quantile(difference, 0.95) < 0.3


def test_the_principal_point_is_exact() -> None:
    """Resized as ``Camera.scaled`` does, moved by a crop, mirrored by a flip."""
    sample = photograph(100.0)
    before = sample.camera
    after = rescale(sample, 2.0).camera
    assert before is not None and after is not None
    np.testing.assert_allclose(after.matrix, before.scaled(320, 240).matrix)
    moved = crop(sample, 50, 70, 7, -5).camera
    assert moved is not None
    np.testing.assert_allclose(moved.matrix[:2, 2] - before.matrix[:2, 2], (5, -7))
    mirrored = flip(crop(sample, 120, 100, 0, 0)).camera
    assert mirrored is not None
    np.testing.assert_allclose(mirrored.matrix[:2, 2], (99 - 79.5, 59.5))


@given(
    height=st.integers(8, 60),
    width=st.integers(8, 60),
    size=st.tuples(st.integers(32, 50), st.integers(32, 50)),
    scale=st.floats(0.4, 2.5),
    stretch=st.sampled_from([None, Stretch((0.5, 2.0), (0.5, 2.5), 0.4), Stretch(horizon=0.0)]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_no_label_or_depth_is_invented(
    *,
    height: int,
    width: int,
    size: tuple[int, int],
    scale: float,
    stretch: Stretch | None,
    seed: int,
) -> None:
    """Whatever the geometry: labels stay among those there were, unknown is never mixed in."""
    rng = np.random.default_rng(seed)
    depth = rng.choice(np.array([2.0, 50.0, np.nan], np.float32), (height, width))
    sample = Sample(
        'noise',
        rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        segmentation=rng.choice(np.array([0, 7, 255], np.uint8), (height, width)),
        label_set='camvid11',
        depth=depth,
        camera=ideal_camera(width, height, 40.0),
    )
    out = augment(
        sample,
        Augmentation(),
        rng,
        size=size,
        scale=(scale, scale),
        canonical_focal=None,
        stretch=stretch,
    )
    assert out.image.shape == (*size, 3) and out.image.dtype == np.uint8
    assert out.segmentation is not None and out.depth is not None
    assert out.segmentation.shape == out.depth.shape == size
    assert set(np.unique(out.segmentation)) <= {0, 7, 255}
    known = out.depth[np.isfinite(out.depth)] * np.float32(scale)
    assert np.all(np.isclose(known, 2.0) | np.isclose(known, 50.0))


@given(
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    size=st.tuples(st.integers(16, 64), st.integers(16, 64)),
    largest=st.floats(0.5, 4.0),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_windows_are_filled_where_the_range_allows(
    height: int, width: int, size: tuple[int, int], largest: float, seed: int
) -> None:
    """No bar beside a frame that could have been enlarged to fill the window."""
    white = Sample('white', np.full((height, width, 3), 255, np.uint8))
    unchanged = Augmentation(0, 0, 0, 0, 0, 0)
    out = augment(
        white,
        unchanged,
        np.random.default_rng(seed),
        size=size,
        scale=(0.5, largest),
        canonical_focal=None,
    )
    if largest >= max(size[0] / height, size[1] / width):
        assert (out.image == 255).all()
    elif round(largest * height) < size[0] or round(largest * width) < size[1]:
        assert (out.image == 0).any()


def test_crop_beyond_the_image_is_unlabelled_and_unknown() -> None:
    """Padding is nothing that could be learned."""
    sample = photograph(100.0, 20, 30)
    window = crop(sample, 40, 50, -5, -10)
    assert window.segmentation is not None and window.depth is not None
    np.testing.assert_array_equal(window.image[5:25, 10:40], sample.image)
    outside = np.ones((40, 50), bool)
    outside[5:25, 10:40] = False
    assert (window.segmentation[outside] == 255).all() and np.isnan(window.depth[outside]).all()


def test_jitter_keeps_type_and_can_be_nothing() -> None:
    """Colour changes leave uint8 RGB; with all amounts at zero they change nothing."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    strong = Augmentation(hue=40, grey=0.5, blur=0.5, noise=20)
    out = jitter(image, strong, rng)
    assert out.shape == image.shape and out.dtype == np.uint8 and (out != image).any()
    nothing = Augmentation(
        brightness=0, contrast=0, gamma=0, saturation=0, white_balance=0, grey=0
    )
    np.testing.assert_allclose(jitter(image, nothing, rng).astype(int), image, atol=1)
    grey = jitter(image, Augmentation(grey=1.0), rng)
    assert (grey[..., 0] == grey[..., 1]).all() and (grey[..., 1] == grey[..., 2]).all()


def test_depth_without_a_camera_cannot_be_made_canonical() -> None:
    """A canonical focal length needs the sample's own, and the error says where to give it."""
    sample = Sample('a.png', np.zeros((4, 4, 3), np.uint8), depth=np.ones((4, 4), np.float32))
    with pytest.raises(HydranetError, match=r'a\.png .*intrinsics'):
        to_canonical(sample, 500.0)


def test_annotations_of_another_size_are_named() -> None:
    """A label image of another size than its image is an error, not a resize."""
    with pytest.raises(HydranetError, match=r'depth of a\.png is 5x4 and its image is 4x4'):
        Sample('a.png', np.zeros((4, 4, 3), np.uint8), depth=np.ones((4, 5), np.float32))
