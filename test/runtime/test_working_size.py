# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images of any resolution are resized to a scale that the model knows."""

from dataclasses import replace
import math

import cv2
from hypothesis import assume, given
from hypothesis import strategies as st
import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.camera.resize import resize_image
from hydranet_ros.camera.working_width import MODEL_CHOICE, NATIVE, parse_working_width
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import BundleMetadata
from hydranet_ros.runtime.predictor import Predictor
from hydranet_ros.runtime.working_size import (
    about_resizing,
    choose_working_size,
    untrained_fault,
)

RANGE = (400.0, 600.0)
METADATA = BundleMetadata(
    'm',
    {'depth': 1},
    canonical_focal=500.0,
    default_focal=500.0,
    default_size=(640, 480),
    focal_range=RANGE,
)

sides = st.integers(32, 5000)


@pytest.mark.parametrize(
    ('size', 'fx', 'expected'),
    [
        ((640, 480), 500.0, (640, 480)),  # in the range: unchanged
        ((641, 479), 400.0, (641, 479)),
        ((640, 480), 600.0, (640, 480)),
        ((640, 480), 606.0, (512, 384)),
        ((640, 480), 396.0, (640, 480)),  # a change by less than half a step is not worth it
        ((1280, 960), 1000.0, (640, 480)),  # to the middle of the range, 490 px
        ((4000, 3000), 3125.0, (640, 480)),
        ((320, 240), 250.0, (512, 384)),
        ((640, 480), 100.0, (640, 480)),  # enlarging fourfold would cost 16 times as much
        ((320, 240), 100.0, (640, 480)),
        ((4000, 3000), 500.0, (1312, 984)),  # the focal length is right, but not the cost
        ((640, 480), None, (640, 480)),
        ((4000, 3000), None, (640, 480)),  # the assumed focal length grows with the image
        ((3000, 4000), None, (480, 640)),
    ],
)
def test_the_choice_of_the_model(size, fx, expected):
    assert choose_working_size(METADATA, *size, fx, MODEL_CHOICE).size == expected


@given(sides, sides, st.floats(20, 20000))
def test_the_choice_is_in_the_range_or_says_so(width, height, fx):
    working = choose_working_size(METADATA, width, height, fx, MODEL_CHOICE)
    assert min(working.size) >= 32
    assert working.focal == pytest.approx(fx * working.width / width)
    rounding = 1 + 16 / working.width
    inside = RANGE[0] / rounding <= working.focal <= RANGE[1] * rounding
    assert working.trained == inside == (not untrained_fault(METADATA, working))
    # Neither enlarging nor shrinking passes the range.
    if fx < RANGE[0] and working.height > 32:
        assert working.focal <= RANGE[0] * (1 + 32 / working.width)
    if working.trained is False and min(working.size) > 64:
        pixels = working.width * working.height
        assert pixels >= 640 * 480 / 1.2 or pixels >= width * height / rounding**2


@given(sides, sides, st.floats(20, 20000))
def test_the_cost_is_limited(width, height, fx):
    assume(max(width, height) < 20 * min(width, height))
    working = choose_working_size(METADATA, width, height, fx, MODEL_CHOICE)
    assert working.width * working.height <= 1.2 * 1280 * 1024
    if fx <= RANGE[0]:
        assert working.width * working.height <= 1.2 * max(width * height, 640 * 480)


@given(sides, sides, st.sampled_from([2, 3, 4]), st.floats(1.2, 3.0))
def test_a_camera_of_more_pixels_gives_the_same_image(width, height, factor, telephoto):
    fx = RANGE[1] * telephoto * width / 640
    assume(fx >= RANGE[1])
    small = choose_working_size(METADATA, width, height, fx, MODEL_CHOICE)
    large = choose_working_size(
        METADATA, factor * width, factor * height, factor * fx, MODEL_CHOICE
    )
    assert large.size == pytest.approx(small.size, abs=1)


def test_widths_that_users_give():
    assert choose_working_size(METADATA, 1280, 720, 900.0, NATIVE).size == (1280, 720)
    assert choose_working_size(METADATA, 1280, 720, 900.0, 640).size == (640, 360)
    assert choose_working_size(METADATA, 1280, 64, 900.0, 320).size == (640, 32)  # not too low
    assert not choose_working_size(METADATA, 1280, 720, 900.0, NATIVE).trained
    assert parse_working_width('native') == NATIVE
    assert parse_working_width('0') == MODEL_CHOICE and parse_working_width('320') == 320
    for text in ('-3', '31', 'wide', '', '1.5'):
        with pytest.raises(HydranetError, match='is invalid: give native, 0'):
            parse_working_width(text)


def test_models_that_do_not_tell_their_range_see_images_as_they_are():
    silent = replace(METADATA, focal_range=None)
    working = choose_working_size(silent, 4000, 3000, 3000.0, MODEL_CHOICE)
    assert working.size == (4000, 3000) and working.trained
    one_camera = replace(METADATA, canonical_focal=None, default_focal=None, default_size=None)
    working = choose_working_size(one_camera, 4000, 3000, None, MODEL_CHOICE)
    assert working.size == (4000, 3000) and working.focal is None


def test_what_users_are_told():
    working = choose_working_size(METADATA, 1280, 960, 1000.0, MODEL_CHOICE)
    assert about_resizing(working, 1280, 960) == (
        'Images of 1280x960 pixels are resized to 640x480 for the network.'
    )
    assert untrained_fault(METADATA, working) == ''
    native = choose_working_size(METADATA, 1280, 960, 1000.0, NATIVE)
    assert about_resizing(native, 1280, 960) == ''
    assert untrained_fault(METADATA, native).startswith(
        'The network sees images of 1280x960 pixels with a focal length of 1000 px, but it was '
        'trained for 400 to 600 px:'
    )


def test_an_impossible_default_size_is_refused():
    with pytest.raises(HydranetError, match=r'default image size \(0, 480\)'):
        replace(METADATA, default_size=(0, 480))
    with pytest.raises(
        HydranetError, match=r'600\.0 to 400\.0 px are not positive and increasing'
    ):
        replace(METADATA, focal_range=(600.0, 400.0))


@pytest.fixture(scope='module')
def bundle():
    bundle = published_bundle('nyud40_normals')
    fields = {'canonical_focal': 100.0, 'focal_range': (90.0, 100.0)}
    return replace(bundle, metadata=replace(bundle.metadata, **fields))


def _picture(height, width):
    coarse = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def test_a_large_image_gives_the_prediction_of_the_small_one(bundle):
    predictor = Predictor(
        bundle, backend='torch', fields=('labels', 'confidence', 'depth', 'normals')
    )
    large = _picture(480, 640)
    small = cv2.resize(large, (128, 96), interpolation=cv2.INTER_AREA)
    expected, found = predictor.predict(small, 100.0), predictor.predict(large, 500.0)
    assert found.working.size == (128, 96) and found.working.focal == 100.0
    assert {'resize', 'restore', 'forward', 'total'} <= found.timing.keys()
    assert 'resize' not in expected.timing
    # Each pixel of the small image became 5x5 pixels; the middle one has its value.
    for name in ('labels', 'confidence', 'depth', 'normals'):
        values = getattr(found, name)
        assert values.shape[:2] == (480, 640)
        assert values.dtype == getattr(expected, name).dtype
    np.testing.assert_array_equal(found.labels[2::5, 2::5], expected.labels)
    np.testing.assert_allclose(found.depth[2::5, 2::5], expected.depth, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=2), 1, atol=1e-3)


def test_a_small_image_is_enlarged(bundle):
    found = Predictor(bundle, backend='torch').predict(_picture(48, 64), 50.0)
    assert found.working.size == (128, 96)
    assert found.labels.shape == found.depth.shape == (48, 64)


def test_a_model_for_one_camera_sees_enlarged_images_as_nearer():
    """Its training divides depth by the factor by which an image is enlarged."""
    one_camera = published_bundle('kitti6')
    image = _picture(64, 96)
    seen = resize_image(image, (192, 128))
    expected = Predictor(one_camera, backend='torch').predict(seen).depth
    found = Predictor(one_camera, backend='torch', working_width=192, output_size='working')
    np.testing.assert_allclose(found.predict(image).depth, 2 * expected, rtol=1e-5)


def test_the_warm_up_runs_what_the_images_need(bundle, monkeypatch):
    predictor = Predictor(bundle, backend='torch', warm_up_size=None)
    sizes = []
    run = predictor.backend.run
    monkeypatch.setattr(
        predictor.backend, 'run', lambda rgb, scale: sizes.append(rgb.shape[:2]) or run(rgb, scale)
    )
    predictor.warm_up(480, 640, 500.0)
    predictor.predict(_picture(480, 640), 500.0)
    assert sizes == [(96, 128)] * 2


def test_outputs_of_the_working_size(bundle):
    predictor = Predictor(bundle, backend='torch', output_size='working', working_width=96)
    found = predictor.predict(_picture(120, 160), 500.0)
    assert found.labels.shape == found.depth.shape == (72, 96)
    other = predictor.for_label_set('nyud40', (64, 64))
    assert other.predict(_picture(120, 160), 500.0).labels.shape == (72, 96)


def test_metres_do_not_depend_on_the_resolution_of_one_view(bundle):
    """The network sees the same pixels; the scale of its depth is that of the resized camera."""
    native = Predictor(bundle, backend='torch', working_width=NATIVE)
    resized = Predictor(bundle, backend='torch')
    small = _picture(96, 128)
    large = cv2.resize(small, (256, 192), interpolation=cv2.INTER_NEAREST_EXACT)
    expected, found = native.predict(small, 98.0), resized.predict(large, 2 * 98.0)
    ratio = np.median(found.depth) / np.median(expected.depth)
    assert math.isclose(ratio, 1, rel_tol=0.02)
