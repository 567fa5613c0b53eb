# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Normals from a dataset's own depth as files that its reader reads."""

from __future__ import annotations

from pathlib import Path

import cv2
from distillation_data import color_teacher, start, write_yaml
import numpy as np
import pytest
import yaml

from hydranet_ros.camera.normals import DepthError, normals_from_depth
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers import load_teacher

SIZE = (60, 80)
MATRIX = np.array([[70.0, 0, 41.0], [0, 71.0, 29.0], [0, 0, 1]])
CAMERA = {'fx': 70.0, 'fy': 71.0, 'cx': 41.0, 'cy': 29.0}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a distillation of two rooms: two walls and a hole, and nothing measured."""
    v, u = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    rays = np.stack([(u - 41) / 70, (v - 29) / 71, np.ones_like(u)], -1)
    left, right = (rays @ np.array(n) for n in ((0.3, 0.1, 1.0), (-0.4, 0.0, 1.0)))
    depth = np.where(u < 40, 2.0 / left, 3.0 / right)
    depth[10:20, 50:60] = 0
    for name, metres in (('a', depth), ('b', np.zeros(SIZE))):
        for folder in ('image', 'depth'):
            (tmp_path / folder).mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / f'image/{name}.png'), np.full((*SIZE, 3), 90, np.uint8))
        stored = np.round(1000 * metres).astype(np.uint16)
        assert cv2.imwrite(str(tmp_path / f'depth/{name}.png'), stored)
    dataset = {
        'name': 'room',
        'root': str(tmp_path),
        'splits': {'all': {}},
        'intrinsics': CAMERA,
        'depth': {'units_per_metre': 1000},
        'normals': {'optional': True},
    }
    content = {
        'dataset': str(write_yaml(tmp_path / 'room.yaml', dataset)),
        'split': 'all',
        'teacher': 'measured_depth',
        'normals': {'output': str(tmp_path / 'normals')},
    }
    return write_yaml(tmp_path / 'distill.yaml', content)


def change_dataset(config: Path, **changes: object) -> None:
    """Change keys of the dataset file; None removes one."""
    path = config.parent / 'room.yaml'
    content = {**yaml.safe_load(path.read_text()), **changes}
    write_yaml(path, {key: value for key, value in content.items() if value is not None})


def test_the_dataset_reads_what_was_found_in_its_depth(config: Path) -> None:
    assert start(config).run() == {'written': 2}
    room, nothing = (load_dataset(config.parent / 'room.yaml', 'all').load(i) for i in (0, 1))
    expected = normals_from_depth(room.depth, MATRIX, DepthError(), 4.0)
    known = np.isfinite(expected[..., 0])
    np.testing.assert_array_equal(np.isfinite(room.normals[..., 0]), known)
    assert np.isnan(nothing.normals).all()
    # 8 bits: a step of 1/127.5 in each component.
    sine = np.linalg.norm(np.cross(room.normals[known], expected[known]), axis=-1)
    assert np.degrees(np.arcsin(sine)).max() < 0.4
    wall = np.array([-0.3, -0.1, -1.0]) / np.sqrt(1.1)
    assert room.normals[30, 10] @ wall > np.cos(np.radians(5))


def test_normals_are_kept_until_something_that_they_depend_on_changes(config: Path) -> None:
    start(config).run()
    assert start(config).run() == {'kept': 2}
    assert start(config, 'normals.error={step: 0.02}').run() == {'written': 2}
    change_dataset(config, intrinsics={**CAMERA, 'fy': 75.0})
    assert start(config, 'normals.error={step: 0.02}').run() == {'written': 2}
    change_dataset(config, depth={'units_per_metre': 500})
    assert start(config, 'normals.error={step: 0.02}').run() == {'written': 2}
    stored = np.full(SIZE, 1500, np.uint16)
    assert cv2.imwrite(str(config.parent / 'depth/b.png'), stored)
    assert start(config, 'normals.error={step: 0.02}').run() == {'kept': 1, 'written': 1}


def test_measuring_compares_with_the_datasets_own_normals(config: Path) -> None:
    assert start(config).measure() == {'normals': {}}
    start(config).run()
    figures = start(config).measure()['normals']
    assert figures['mean'] < 0.4 and figures['known'] == 1.0
    facing = np.full((*SIZE, 3), (0, 128, 128), np.uint8)  # blue, green, red
    assert cv2.imwrite(str(config.parent / 'normals/a.png'), facing)
    # The walls are turned by 17.5 and 21.8 degrees.
    assert 17 < start(config).measure()['normals']['mean'] < 22


def test_what_is_missing_is_named(config: Path) -> None:
    with pytest.raises(HydranetError, match='and a `window` above 0'):
        start(config, 'normals.window=0.0')
    with pytest.raises(HydranetError, match='needs a dataset, not single images'):
        load_teacher('measured_depth').annotate(np.zeros((*SIZE, 3), np.uint8))
    change_dataset(config, intrinsics=None)
    with pytest.raises(HydranetError, match='has no camera, which normals need'):
        start(config).run()
    change_dataset(config, depth=None)
    with pytest.raises(HydranetError, match='has no measured depth'):
        start(config).run()
    with pytest.raises(HydranetError, match='gives no classes'):
        start(config, 'segmentation={output: labels}')


def test_a_teacher_without_depth_gives_no_normals(config: Path, tmp_path: Path) -> None:
    teacher = color_teacher(tmp_path / 'teacher')
    with pytest.raises(HydranetError, match='choose the teacher `measured_depth`'):
        start(config, f'teacher={teacher}')
