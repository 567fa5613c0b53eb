# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers' files."""

from __future__ import annotations

from pathlib import Path

from distillation_data import write_yaml
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.resources import share_directory
from hydranet_ros.training.distillation.teachers import load_teacher, read_teacher_file
from hydranet_ros.training.distillation.teachers.tiled_views import Views


def test_unknown_kinds_and_views_of_teachers_without_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HydranetError, match="unknown kind of teacher 'oracle'; known are"):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', {'kind': 'oracle'}))
    content = {'kind': 'rtmonodepth', 'encoder': 'a', 'decoder': 'b'}
    with pytest.raises(HydranetError, match='sees whole images'):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content), views=Views(flip=True))


@pytest.mark.parametrize(
    'path',
    sorted((share_directory() / 'config' / 'teachers').glob('*.yaml')),
    ids=lambda path: path.stem,
)
def test_shipped_teacher_files_are_right(path: Path) -> None:
    pytest.importorskip('torch')
    variables = {'data': 'data', 'label_model': 'labels.x', 'depth_model': 'depth.x'}
    variables['meter'] = 'meter.pth'
    file = read_teacher_file(path.stem, variables)
    assert file.about['name'] == path.stem
    assert {'source', 'license'} <= file.about.keys()
    labels = getattr(getattr(file.settings, 'signature', file.settings), 'label_set', None)
    assert labels is None or load_label_set(labels)
