# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A model file is complete and survives a round trip; invalid files are rejected."""

from dataclasses import replace
import json

import numpy as np
from published import published_bundle, VARIANTS
import pytest
from safetensors.numpy import save_file

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import (
    Bundle,
    BundleMetadata,
    LabelSlice,
    load_bundle,
    METADATA_KEY,
    save_bundle,
)
from hydranet_ros.model.labels import load_label_set


@pytest.mark.parametrize('variant', VARIANTS)
def test_float32_round_trip_is_exact(tmp_path, variant):
    bundle = published_bundle(
        variant,
        canonical_focal=500.0,
        provenance={'recipe': 'none', 'steps': 3},
        figures={'camvid': {'miou': 0.5}},
    )
    saved = save_bundle(tmp_path / 'model.safetensors', bundle, 'float32')
    loaded = load_bundle(tmp_path / 'model.safetensors')
    assert loaded.metadata == bundle.metadata
    assert loaded.sha256 == saved.sha256
    assert loaded.weights.keys() == bundle.weights.keys()
    assert all(np.array_equal(loaded.weights[k], v) for k, v in bundle.weights.items())
    loaded.network()


def test_float16_is_half_the_size_and_close(tmp_path):
    bundle = published_bundle()
    for dtype in ('float16', 'float32'):
        save_bundle(tmp_path / f'{dtype}.safetensors', bundle, dtype)
    sizes = [(tmp_path / f'{t}.safetensors').stat().st_size for t in ('float16', 'float32')]
    assert sizes[0] < 0.55 * sizes[1]
    loaded = load_bundle(tmp_path / 'float16.safetensors')
    for key, array in bundle.weights.items():
        assert loaded.weights[key].dtype == np.float32
        np.testing.assert_allclose(loaded.weights[key], array, rtol=1e-3, atol=1e-4)


def test_float16_refuses_what_it_cannot_hold(tmp_path):
    bundle = published_bundle()
    weights = {**bundle.weights, 'segm.bias': np.full(6, 1e6, np.float32)}
    with pytest.raises(HydranetError, match=r'segm\.bias.*float32'):
        save_bundle(tmp_path / 'm.safetensors', replace(bundle, weights=weights))
    assert not list(tmp_path.iterdir())


def test_truncated_file(tmp_path):
    path = tmp_path / 'm.safetensors'
    save_bundle(path, published_bundle())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(HydranetError, match='truncated'):
        load_bundle(path)


def test_foreign_files(tmp_path):
    text = tmp_path / 'text.safetensors'
    text.write_text('no model at all')
    foreign = tmp_path / 'foreign.safetensors'
    save_file({'x': np.zeros(3, np.float32)}, foreign)
    broken = tmp_path / 'broken.safetensors'
    save_file({'x': np.zeros(3, np.float32)}, broken, {METADATA_KEY: '{"tasks": 3}'})
    for path, what in (
        (text, 'not a safetensors'),
        (foreign, 'not a model'),
        (broken, 'cannot read'),
    ):
        with pytest.raises(HydranetError, match=what):
            load_bundle(path)
    with pytest.raises(HydranetError, match='No such file'):
        load_bundle(tmp_path / 'absent.safetensors')


def test_newer_format_says_so(tmp_path):
    bundle = published_bundle()
    content = json.loads(bundle.metadata.to_json())
    content['format_version'] = 99
    path = tmp_path / 'new.safetensors'
    save_file(dict(bundle.weights), path, {METADATA_KEY: json.dumps(content)})
    with pytest.raises(HydranetError, match='format version 99'):
        load_bundle(path)


def test_weights_that_do_not_fit_are_named(tmp_path):
    bundle = published_bundle()
    missing = {key: value for key, value in bundle.weights.items() if key != 'conv8.weight'}
    wrong = {**bundle.weights, 'depth.bias': np.zeros(2, np.float32)}
    for weights, what in ((missing, r'conv8\.weight.*absent'), (wrong, r'depth\.bias.*is 2')):
        with pytest.raises(HydranetError, match=what):
            replace(bundle, weights=weights).network()


def test_damaged_weights_are_found(tmp_path):
    bundle = published_bundle()
    weights = {**bundle.weights, 'depth.bias': np.array([np.nan], np.float32)}
    path = tmp_path / 'm.safetensors'
    save_file(weights, path, {METADATA_KEY: bundle.metadata.to_json()})
    with pytest.raises(HydranetError, match=r'depth\.bias.*not finite'):
        load_bundle(path)


@pytest.mark.parametrize(
    ('changes', 'what'),
    [
        ({'tasks': {}}, 'no task'),
        ({'tasks': {'flow': 2}}, 'unknown'),
        ({'tasks': {'segmentation': 6, 'depth': 2}}, '2 output channels'),
        ({'tasks': {'segmentation': 7, 'depth': 1}}, '7 channels'),
        ({'label_slices': (LabelSlice(load_label_set('kitti6'), 1),)}, 'starts at 1'),
        ({'std': (0.2, 0.0, 0.2)}, 'normalisation'),
        ({'depth_range': (5.0, 1.0)}, 'depth range'),
        ({'depth_range': (1.0, float('inf'))}, 'depth range'),
        ({'interpolation': 'nearest'}, 'interpolation'),
        ({'upsampling': 'nearest'}, 'upsampling'),
        ({'architecture': 'resnet'}, "architecture 'resnet' is not one of"),
        ({'canonical_focal': -1.0}, 'focal length'),
    ],
)
def test_contradictions_are_refused(changes, what):
    valid = published_bundle().metadata
    with pytest.raises(HydranetError, match=what):
        replace(valid, **changes)


def test_files_from_before_there_was_a_choice_have_mobilenetv2():
    content = json.loads(published_bundle().metadata.to_json())
    del content['architecture']
    assert BundleMetadata.from_json(json.dumps(content)).architecture == 'mobilenetv2'


def test_label_slices_by_name():
    metadata = published_bundle('nyud40_kitti6').metadata
    assert metadata.label_slice().labels.name == 'nyud40'
    piece = metadata.label_slice('kitti6')
    assert (piece.start, piece.stop) == (40, 46)
    with pytest.raises(HydranetError, match='nyud40, kitti6'):
        metadata.label_slice('camvid11')
    assert BundleMetadata('d', {'depth': 1}).label_slice() is None


def test_weights_of_another_network_are_no_model():
    pytest.importorskip('torch')
    from hydranet_ros.model.network import HydraNet

    metadata = published_bundle().metadata
    for network in (
        HydraNet({'depth': 1}),
        HydraNet(metadata.tasks, 'double'),
        HydraNet(metadata.tasks, architecture='efficientnet_lite0'),
    ):
        with pytest.raises(ValueError, match='does not fit the metadata'):
            Bundle.from_network(metadata, network)


def test_bundle_from_network_is_a_copy():
    network = published_bundle().network()
    bundle = Bundle.from_network(published_bundle().metadata, network)
    before = bundle.weights['depth.bias'].copy()
    network.get_parameter('depth.bias').data.add_(1)
    assert np.array_equal(bundle.weights['depth.bias'], before)


def test_saving_replaces_whole_and_needs_the_suffix(tmp_path):
    with pytest.raises(HydranetError, match=r'\.safetensors'):
        save_bundle(tmp_path / 'model.bin', published_bundle())
    save_bundle(tmp_path / 'm.safetensors', published_bundle())
    save_bundle(tmp_path / 'm.safetensors', published_bundle('nyud40'))
    assert load_bundle(tmp_path / 'm.safetensors').metadata.name == 'nyud40'
    assert [path.name for path in tmp_path.iterdir()] == ['m.safetensors']
