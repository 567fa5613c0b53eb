# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of a training."""

from __future__ import annotations

from pathlib import Path

from training_data import small_recipe, write_streets

from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.training.batches import TrainingBatches


def test_batches_take_the_crops_in_turns(tmp_path: Path) -> None:
    """Each batch has one size; the sizes come one after the other."""
    dataset = write_streets(tmp_path / 'data', 2)
    recipe = small_recipe(dataset, crops=((64, 96), (32, 128)))
    batches = TrainingBatches([load_dataset(dataset, 'all', {})], recipe)
    sizes = [tuple(batches[number].image.shape[1:3]) for number in range(4)]
    assert sizes == [(64, 96), (32, 128)] * 2
