# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_data import small_recipe, write_image, write_streets
import yaml

from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.batches import account_of_data, TrainingBatches


def test_batches_take_the_crops_in_turns(tmp_path: Path) -> None:
    """Each batch has one size; the sizes come one after the other."""
    dataset = write_streets(tmp_path / 'data', 2)
    recipe = small_recipe(dataset, crops=((64, 96), (32, 128)))
    batches = TrainingBatches([load_dataset(dataset, 'all', {})], recipe)
    sizes = [tuple(batches[number].image.shape[1:3]) for number in range(4)]
    assert sizes == [(64, 96), (32, 128)] * 2


@pytest.mark.parametrize('tasks', [('segmentation', 'depth'), ('segmentation', 'normals')])
def test_normals_are_only_in_batches_that_need_them(tmp_path: Path, tasks: tuple[str]) -> None:
    dataset = write_streets(tmp_path, 2)
    for number in range(2):
        facing = np.full((64, 96, 3), (128, 128, 0), np.uint8)
        write_image(tmp_path / 'normals' / f'{number:03d}.png', facing)
    content = yaml.safe_load(dataset.read_text())
    dataset.write_text(yaml.safe_dump({**content, 'normals': {}}))
    recipe = small_recipe(dataset, tasks=tasks)
    batch = TrainingBatches([load_dataset(dataset, 'all', {})], recipe)[0]
    assert (batch.normals is not None) == ('normals' in tasks)
    assert batch.normals is None or batch.normals.shape == (2, 3, 64, 96)


def test_the_data_are_described_and_a_task_without_data_is_refused(tmp_path: Path) -> None:
    path = write_streets(tmp_path, 3, depth_from=1)
    dataset = load_dataset(path, 'all')
    recipe = small_recipe(path)
    assert account_of_data(recipe, [dataset]) == [
        f'{path}: 3 images, 3 with segmentation, 2 with depth'
    ]
    (tmp_path / 'depth').rename(tmp_path / 'other')
    (tmp_path / 'depth').mkdir()
    dataset = load_dataset(path, 'all')
    with pytest.raises(HydranetError, match='annotations for the task depth'):
        account_of_data(recipe, [dataset])
    assert account_of_data(replace(recipe, kept=('depth',)), [dataset])
