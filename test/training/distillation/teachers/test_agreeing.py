# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers that must agree."""

from __future__ import annotations

from pathlib import Path

from distillation_data import (
    blocks,
    meter_file,
    paint,
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


def test_agreeing_teachers_are_two_of_depth(tmp_path: Path) -> None:
    content = {'kind': 'agreeing', 'members': members(tmp_path, 1.0), 'agreement': 0.2}
    with pytest.raises(HydranetError, match='at least two'):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    content['members'] = [{'kind': 'oracle'}, {'kind': 'oracle'}]
    with pytest.raises(HydranetError, match="kind of teacher 'oracle'"):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
