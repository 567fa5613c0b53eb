# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The deployed graph predicts the same as the published code, at any size."""

from dataclasses import replace
from functools import partial

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from published import published_bundle
import pytest
import torch

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, save_bundle
from hydranet_ros.model.deployed_graph import DeployedGraph
from hydranet_ros.model.network import IMAGE_MEAN, IMAGE_STD
from hydranet_ros.runtime.predictor import Predictor as AnyPredictor

# Untrained weights amplify the float32 rounding of the first layers to 6e-4 of the output (plain
# network against float64), or 2e-3 on processors without AVX-512; folding adds as much.
TOLERANCE = 4e-3
# test_backends.py compares the other runtimes with this one.
Predictor = partial(AnyPredictor, backend='torch')


def _image(height, width, seed=0):
    """Make a smooth, colourful image; noise would make every argmax almost a tie."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@torch.inference_mode()
def _published_way(bundle: Bundle, rgb):
    """Predict as the authors' code does: plain network, then OpenCV and numpy."""
    height, width = rgb.shape[:2]
    x = (rgb / 255.0 - np.array(IMAGE_MEAN)) / np.array(IMAGE_STD)
    outputs = bundle.network()(torch.from_numpy(x.transpose(2, 0, 1)[None]).float())
    return {
        task: cv2.resize(
            raw[0].permute(1, 2, 0).numpy(), (width, height), interpolation=cv2.INTER_CUBIC
        ).reshape(height, width, -1)
        for task, raw in outputs.items()
    }


@pytest.fixture(scope='module')
def bundles():
    return {name: published_bundle(name) for name in ('kitti6', 'nyud40_normals', 'nyud40_kitti6')}


def test_another_label_set_of_the_same_model(bundles):
    rgb = _image(64, 96)
    fields = ('labels', 'confidence')
    first = Predictor(bundles['nyud40_kitti6'], precision='bfloat16', fields=fields)
    other = first.for_label_set('kitti6', (64, 96))
    options = {'precision': 'bfloat16', 'fields': fields, 'label_set': 'kitti6'}
    expected = Predictor(bundles['nyud40_kitti6'], **options).predict(rgb)
    found = other.predict(rgb)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.confidence, expected.confidence)
    assert (other.label_set.name, found.depth) == ('kitti6', None)
    assert first.predict(rgb).labels.max() > 5 and first.label_set.name == 'nyud40'
    with pytest.raises(HydranetError, match=r"no label set 'camvid11'; it has: nyud40, kitti6\."):
        first.for_label_set('camvid11', (64, 96))


@pytest.mark.parametrize(('height', 'width'), [(64, 96), (33, 97), (75, 251)])
@pytest.mark.parametrize('variant', ['kitti6', 'nyud40_normals'])
def test_parity_with_the_published_way(bundles, variant, height, width):
    rgb = _image(height, width)
    expected = _published_way(bundles[variant], rgb)
    prediction = Predictor(bundles[variant]).predict(rgb)

    logits = expected['segmentation']
    assert prediction.labels is not None
    assert prediction.labels.dtype == np.uint8
    chosen = np.take_along_axis(logits, prediction.labels[..., None].astype(int), axis=2)[..., 0]
    # Labels are equal except at ties.
    assert (logits.max(axis=2) - chosen).max() <= TOLERANCE * np.abs(logits).max()

    depth = np.abs(expected['depth'][..., 0])
    assert prediction.depth is not None
    assert prediction.depth.dtype == np.float32
    np.testing.assert_allclose(
        prediction.depth, depth.clip(1e-3, 1000), atol=TOLERANCE * depth.max()
    )
    if variant == 'nyud40_normals':
        normals = expected['normals']
        length = np.linalg.norm(normals, axis=2, keepdims=True)
        clear = length[..., 0] > 1e-2 * length.max()
        assert prediction.normals is not None
        np.testing.assert_allclose(prediction.normals[clear], (normals / length)[clear], atol=2e-2)
        np.testing.assert_allclose(np.linalg.norm(prediction.normals, axis=2), 1.0, atol=1e-4)
    else:
        assert prediction.normals is None


@given(st.integers(32, 80), st.integers(32, 80))
@settings(deadline=None, max_examples=10)
def test_outputs_have_the_size_of_the_image(bundles_once, height, width):
    prediction = bundles_once.predict(_image(height, width))
    assert prediction.labels.shape == prediction.depth.shape == (height, width)
    assert prediction.labels.max() < 6
    assert prediction.depth.min() > 0


@pytest.fixture(scope='module')
def bundles_once(bundles):
    return Predictor(bundles['kitti6'])


def test_label_set_chooses_the_slice(bundles):
    bundle = bundles['nyud40_kitti6']
    rgb = _image(64, 64)
    logits = _published_way(bundle, rgb)['segmentation']
    for name, start, stop in (('nyud40', 0, 40), ('kitti6', 40, 46)):
        predictor = Predictor(bundle, label_set=name)
        assert predictor.label_set is not None
        assert predictor.label_set.name == name
        expected = logits[..., start:stop].argmax(axis=2)
        assert (predictor.predict(rgb).labels == expected).mean() > 0.999
    assert Predictor(bundle).label_set == Predictor(bundle, label_set='nyud40').label_set
    with pytest.raises(HydranetError, match='camvid11'):
        Predictor(bundle, label_set='camvid11')


def test_confidence_is_the_softmax_of_the_winner(bundles):
    rgb = _image(64, 64)
    logits = _published_way(bundles['kitti6'], rgb)['segmentation'].astype(np.float64)
    softmax = np.exp(logits - logits.max(axis=2, keepdims=True))
    expected = 255 * (softmax / softmax.sum(axis=2, keepdims=True)).max(axis=2)
    predictor = Predictor(bundles['kitti6'], fields=('labels', 'confidence'))
    prediction = predictor.predict(rgb)
    assert predictor.backend.fields == ('labels', 'confidence')
    assert prediction.depth is None
    assert prediction.confidence is not None
    assert prediction.confidence.dtype == np.uint8
    np.testing.assert_allclose(prediction.confidence, expected, atol=1.0)


def test_depth_scales_with_the_focal_length(bundles):
    plain = bundles['kitti6']
    rgb = _image(48, 64)
    depth = Predictor(plain).predict(rgb, fx=700.0).depth
    metadata = replace(plain.metadata, canonical_focal=500.0, default_focal=1000.0)
    predictor = Predictor(Bundle(metadata, plain.weights))
    for fx, factor, assumed in ((250.0, 0.5, False), (500.0, 1.0, False), (None, 2.0, True)):
        prediction = predictor.predict(rgb, fx)
        np.testing.assert_allclose(prediction.depth, depth * factor, rtol=1e-5)
        assert prediction.scale_assumed is assumed
    for fx in (0.0, -3.0, float('nan'), float('inf')):
        with pytest.raises(HydranetError, match='focal length'):
            predictor.predict(rgb, fx)


def test_depth_stays_in_range(bundles):
    plain = bundles['kitti6']
    metadata = replace(plain.metadata, depth_range=(0.5, 1.5))
    depth = Predictor(Bundle(metadata, plain.weights)).predict(_image(64, 64)).depth
    assert depth.min() >= 0.5
    assert depth.max() <= 1.5


@pytest.mark.parametrize(
    ('image', 'what'),
    [
        (np.zeros((64, 64), np.uint8), '64 x 64 uint8'),
        (np.zeros((64, 64, 4), np.uint8), '64 x 64 x 4'),
        (np.zeros((64, 64, 3), np.float32), 'float32'),
        (np.zeros((31, 64, 3), np.uint8), 'too small'),
    ],
)
def test_impossible_images_are_refused(bundles_once, image, what):
    with pytest.raises(HydranetError, match=what):
        bundles_once.predict(image)
    bundles_once.predict(_image(32, 32))


def test_images_that_are_views_and_read_only(bundles_once):
    rgb = _image(40, 50)
    flipped = np.ascontiguousarray(rgb[:, ::-1])[:, ::-1]
    read_only = rgb.copy()
    read_only.flags.writeable = False
    expected = bundles_once.predict(rgb)
    for image in (flipped, read_only):
        assert np.array_equal(bundles_once.predict(image).depth, expected.depth)


def test_results_belong_to_the_caller(bundles_once):
    first = bundles_once.predict(_image(40, 50, seed=1))
    kept = first.depth.copy()
    bundles_once.predict(_image(40, 50, seed=2))
    assert np.array_equal(first.depth, kept)
    assert set(first.timing) == {'upload', 'forward', 'download', 'total'}
    assert first.timing['total'] == pytest.approx(sum(first.timing.values()) / 2)


@pytest.mark.parametrize(
    ('options', 'what'),
    [
        ({'device': 'tpu'}, 'no device'),
        ({'device': 'meta', 'backend': 'torch'}, 'cpu or cuda'),
        ({'device': 'cuda:99'}, 'not available'),
        ({'backend': 'abacus'}, 'no backend'),
        ({'precision': 'float8'}, 'no precision'),
        ({'fields': ('labels', 'flow')}, 'flow'),
    ],
)
def test_impossible_options_are_refused(bundles, options, what):
    with pytest.raises(HydranetError, match=what):
        AnyPredictor(bundles['kitti6'], **options)


def test_model_by_path_and_by_name(tmp_path, bundles):
    save_bundle(tmp_path / 'm.safetensors', bundles['kitti6'])
    predictor = Predictor(str(tmp_path / 'm.safetensors'), device='cpu')
    assert (predictor.backend.name, predictor.backend.device, predictor.backend.precision) == (
        'torch',
        'cpu',
        'float32',
    )
    assert predictor.metadata == bundles['kitti6'].metadata
    with pytest.raises(HydranetError, match='no model'):
        Predictor('no_such_model')
    predictor.close()


def test_folded_graph_has_no_batch_norm_left(bundles):
    graph = DeployedGraph(bundles['kitti6'])
    assert not [m for m in graph.modules() if isinstance(m, torch.nn.BatchNorm2d)]
