# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Mappings of a teacher's classes to a student's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distillation_data import write_yaml
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.resources import share_directory
from hydranet_ros.training.distillation.mappings import LabelMapping, load_mapping

MAPPINGS = sorted((share_directory() / 'config' / 'mappings').glob('*.yaml'))


@pytest.mark.parametrize('path', MAPPINGS, ids=lambda path: path.stem)
def test_shipped_mappings_are_complete(path: Path) -> None:
    mapping = load_mapping(path.stem)
    source, target = path.stem.split('_to_')
    assert mapping.source.name == source
    assert target.startswith(mapping.target.name)
    assert mapping.table.shape == (mapping.source.size,)
    assert mapping.table.max() < mapping.target.size


def test_cityscapes_means_the_same_in_kitti6() -> None:
    table = load_mapping('cityscapes19_to_kitti6').table
    assert {i: int(table[i]) for i in (10, 2, 0, 1, 8, 13)} == {
        10: 0,
        2: 1,
        0: 2,
        1: 3,
        8: 4,
        13: 5,
    }


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'sky': ...}, 'does not map these classes of kitti6: sky'),
        ({'moon': 'sky'}, 'maps names that are not classes of kitti6: moon'),
        ({'sky': 'heaven'}, 'maps to names that are not classes of camvid11: heaven'),
    ],
)
def test_incomplete_mappings_are_refused(change: dict[str, Any], message: str) -> None:
    classes: dict[str, Any] = dict.fromkeys(load_label_set('kitti6').classes, 'sky')
    classes.update(change)
    classes = {key: value for key, value in classes.items() if value is not ...}
    with pytest.raises(HydranetError, match=message):
        LabelMapping.from_dict({'source': 'kitti6', 'target': 'camvid11', 'classes': classes})


def test_mappings_survive_their_own_file(tmp_path: Path) -> None:
    mapping = load_mapping('cityscapes19_to_camvid11')
    again = load_mapping(write_yaml(tmp_path / 'mapping.yaml', mapping.to_dict()))
    np.testing.assert_array_equal(again.table, mapping.table)
    with pytest.raises(HydranetError, match='needs the keys'):
        load_mapping(write_yaml(tmp_path / 'mapping.yaml', {'source': 'kitti6'}))
    with pytest.raises(HydranetError, match='Cannot read'):
        load_mapping(tmp_path / 'absent.yaml')


def test_classes_that_share_a_target_win_together() -> None:
    mapping = load_mapping('cityscapes19_to_camvid11')
    scores = np.zeros((1, 3, 19), np.float32)
    names = mapping.source.classes
    scores[0, 0, names.index('car')] = scores[0, 0, names.index('truck')] = 0.3
    scores[0, 0, names.index('road')] = 0.4
    scores[0, 1, names.index('sky')] = 0.55
    scores[0, 2, names.index('sky')] = 0.45
    labels, confidence = mapping.translate(scores, threshold=0.5)
    ids = mapping.target.classes
    assert labels.tolist() == [[ids.index('car'), ids.index('sky'), 255]]
    np.testing.assert_allclose(confidence, [[0.6, 0.55, 0.45]])


def test_classes_that_are_not_taught_become_unlabelled_where_they_win() -> None:
    mapping = load_mapping('cityscapes19_to_kitti6')
    scores = np.zeros((1, 2, 19), np.float32)
    scores[0, 0, mapping.source.classes.index('person')] = 0.5
    scores[0, 0, mapping.source.classes.index('rider')] = 0.1
    scores[0, 0, mapping.source.classes.index('road')] = 0.4
    scores[0, 1, mapping.source.classes.index('road')] = 0.6
    assert mapping.translate(scores)[0].tolist() == [[255, 2]]
