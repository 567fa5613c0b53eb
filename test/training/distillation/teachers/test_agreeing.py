# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers that must agree."""

from __future__ import annotations

from pathlib import Path

from distillation_data import (
    blocks,
    color_teacher,
    label_set_file,
    meter_file,
    paint,
    write_onnx,
    write_yaml,
)
import numpy as np
import pytest
import yaml

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers import load_teacher


def members(folder: Path, *scales: float) -> list[dict[str, object]]:
    """Return what is said of the same teacher with several scales."""
    said = yaml.safe_load(meter_file(folder).read_text())
    return [{**said, 'scale': scale} for scale in scales]


def test_agreeing_teachers_give_their_geometric_mean(tmp_path: Path) -> None:
    rgb = paint(blocks(1, 50, 90))
    alone = load_teacher(meter_file(tmp_path)).annotate(rgb).depth
    content = {'kind': 'agreeing', 'members': members(tmp_path, 1.0, 1.21), 'agreement': 0.25}
    together = load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    np.testing.assert_allclose(together.annotate(rgb).depth, 1.1 * alone, rtol=1e-5)
    assert [said['scale'] for said in together.identity['members']] == [1.0, 1.21]
    content['agreement'] = 0.2
    apart = load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    assert np.isnan(apart.annotate(rgb).depth).all()
    assert apart.identity != together.identity


def test_scores_of_several_teachers_are_averaged(tmp_path: Path) -> None:
    """A member that cannot tell green from blue halves what the other one says of them."""
    rgb = paint(blocks(1, 24, 40))
    sharp = yaml.safe_load(color_teacher(tmp_path / 'sharp').read_text())
    dull = yaml.safe_load(color_teacher(tmp_path / 'dull').read_text())
    network = tmp_path / 'dull' / 'colors.onnx'
    write_onnx(network, 10 * np.array([[1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]]), np.zeros(3))
    for content in (sharp, dull):
        del content['license']
    content = {'kind': 'agreeing', 'license': 'test', 'members': [sharp, dull]}
    together = load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    assert not together.gives_depth and together.labels is not None
    assert together.labels.classes == ('red', 'green', 'blue')
    alone = [
        load_teacher(write_yaml(tmp_path / f'{n}.yaml', each)).annotate(rgb).scores
        for n, each in enumerate((sharp, dull))
    ]
    found = together.annotate(rgb)
    assert found.depth is None and found.scores is not None and found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores, (alone[0] + alone[1]) / 2, rtol=1e-5)
    assert not np.allclose(alone[0], alone[1], atol=0.1)


def test_members_give_classes_of_one_label_set(tmp_path: Path) -> None:
    colors = yaml.safe_load(color_teacher(tmp_path / 'a').read_text())
    other = yaml.safe_load(color_teacher(tmp_path / 'b').read_text())
    path = label_set_file(tmp_path / 'b', 'cmy', ['cyan', 'magenta', 'yellow'])
    other['signature']['label_set'] = str(path)
    for content in (colors, other):
        del content['license']
    content = {'kind': 'agreeing', 'members': [colors, other]}
    with pytest.raises(HydranetError, match='different label sets'):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    content['members'] = [colors, *members(tmp_path, 1.0)]
    with pytest.raises(HydranetError, match='meter gives no classes'):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    content['agreement'] = 0.2
    with pytest.raises(HydranetError, match='exported gives no depth'):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))


def test_agreeing_teachers_are_two_of_a_known_kind(tmp_path: Path) -> None:
    content = {'kind': 'agreeing', 'members': members(tmp_path, 1.0), 'agreement': 0.2}
    with pytest.raises(HydranetError, match='at least two'):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    content['members'] = [{'kind': 'oracle'}, {'kind': 'oracle'}]
    with pytest.raises(HydranetError, match="kind of teacher 'oracle'"):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
