# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Label sets are complete, and invalid label sets are rejected with an error."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
import yaml

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import label_set_names, LabelSet, load_label_set

SIZES = {'kitti6': 6, 'nyud40': 40, 'camvid11': 11, 'cityscapes19': 19, 'ade20k32': 32}


def test_all_label_sets_are_there():
    assert {name: load_label_set(name).size for name in label_set_names()} == SIZES


@pytest.mark.parametrize('name', SIZES)
def test_shipped_label_sets_are_well_formed(name):
    labels = load_label_set(name)
    assert labels.name == name
    assert labels.ignore_id == 255
    assert len({tuple(color) for color in labels.colors.tolist()}) == labels.size
    assert LabelSet.from_dict(labels.to_dict()) == labels


def test_known_colours_are_not_shifted():
    kitti = load_label_set('kitti6')
    colors = dict(zip(kitti.classes, kitti.colors.tolist(), strict=True))
    assert colors == {
        'sky': [128, 128, 128],
        'building': [128, 0, 0],
        'road': [128, 64, 128],
        'sidewalk': [0, 0, 192],
        'vegetation': [128, 128, 0],
        'car': [64, 0, 128],
    }
    assert load_label_set('cityscapes19').classes[13] == 'car'
    assert load_label_set('nyud40').classes[:3] == ('wall', 'floor', 'cabinet')


@given(st.integers(1, 255))
def test_palette_is_black_outside_the_classes(count):
    colors = np.full((count, 3), 7, np.uint8)
    labels = LabelSet('some', tuple(f'c{i}' for i in range(count)), colors)
    palette = labels.palette()
    assert (palette[:count] == colors).all()
    assert not palette[count:].any()


def _content(**changes):
    classes = [{'name': 'a', 'color': [1, 2, 3]}, {'name': 'b', 'color': [4, 5, 6]}]
    return {'name': 'two', 'classes': classes, **changes}


@pytest.mark.parametrize(
    ('content', 'what'),
    [
        ([], 'mapping'),
        ({'name': 'x'}, 'classes'),
        (_content(classes=[]), '0 classes'),
        (_content(classes=[{'name': 'a'}]), 'color'),
        (_content(classes=[{'name': 'a', 'color': [1, 2]}]), 'three values'),
        (_content(classes=[{'name': 'a', 'color': [1, 2, 256]}]), 'three values'),
        (_content(classes=[{'name': 'a', 'color': [1, 2, 3]}] * 2), 'repeated'),
        (_content(ignore_id=1), 'ignore_id'),
        (_content(ignore_id=256), 'ignore_id'),
        (_content(ignore_id='none'), 'not a valid'),
        (_content(name=''), 'name'),
    ],
)
def test_bad_label_sets_are_refused(tmp_path, content, what):
    file = tmp_path / 'labels.yaml'
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(HydranetError, match=what):
        load_label_set(file)


def test_own_label_set_loads_from_a_file(tmp_path):
    file = tmp_path / 'labels.yaml'
    file.write_text(yaml.safe_dump(_content()))
    assert load_label_set(file).classes == ('a', 'b')


@pytest.mark.parametrize('name', ['nope', 'nope.yaml', '../labels/kitti6'])
def test_missing_label_sets_are_named(name):
    with pytest.raises(HydranetError, match=r'nope|kitti6'):
        load_label_set(name)


def test_broken_yaml_is_named(tmp_path):
    file = tmp_path / 'labels.yaml'
    file.write_text('name: [')
    with pytest.raises(HydranetError, match='not valid YAML'):
        load_label_set(file)
