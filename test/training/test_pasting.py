# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of one sample in another: all that is known of a pixel goes along with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_data import small_recipe, STILL, write_streets

from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.batches import TrainingBatches
from hydranet_ros.training.pasting import box_mask, class_mask, paste
from hydranet_ros.training.recipe import Ingredient


def sample(value: int, **annotations: object) -> Sample:
    """Return an image of one value."""
    image = np.full((4, 6, 3), value, np.uint8)
    return Sample(f'{value}.png', image, **annotations)  # type: ignore[arg-type]


def test_pixels_bring_their_annotations() -> None:
    """Where the sample that a pixel comes from has none, it is unknown, not the other's."""
    depth = np.full((4, 6), 3.0, np.float32)
    labels = np.full((4, 6), 7, np.uint8)
    one = sample(10, depth=depth)
    two = sample(20, segmentation=labels, label_set='camvid11')
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    for first, second, inside in ((one, two, mask), (two, one, ~mask)):
        mixed = paste(first, second, mask)
        assert mixed.segmentation is not None and mixed.depth is not None
        assert (mixed.image[inside] == 20).all() and (mixed.image[~inside] == 10).all()
        assert (mixed.segmentation[inside] == 7).all() and (
            mixed.segmentation[~inside] == 255
        ).all()
        assert np.isnan(mixed.depth[inside]).all() and (mixed.depth[~inside] == 3).all()
        assert mixed.label_set == 'camvid11' and mixed.normals is None
    assert (depth == 3).all() and (labels == 7).all()


def test_half_of_the_classes_are_chosen_whole() -> None:
    """Of five classes two; what is unlabelled is no class; without labels there is nothing."""
    labels = np.repeat(np.array([0, 3, 5, 8, 9, 255], np.uint8)[None], 4, axis=0)
    labelled = sample(1, segmentation=labels)
    chosen = set()
    for seed in range(20):
        mask = class_mask(labelled, np.random.default_rng(seed))
        classes = set(labels[mask].tolist())
        assert len(classes) == 2 and mask.sum() == 8 and 255 not in classes
        chosen |= classes
    assert chosen == {0, 3, 5, 8, 9}
    assert not class_mask(sample(1), np.random.default_rng(0)).any()


def test_a_box_covers_half_of_the_window_anywhere() -> None:
    """Its area is half, within rounding; every pixel is inside as often as outside."""
    covered = np.zeros((40, 60))
    for seed in range(200):
        mask = box_mask(40, 60, np.random.default_rng(seed))
        assert mask.mean() == pytest.approx(0.5, abs=0.02)
        covered += mask
        assert any(np.array_equal(m, np.outer(m.any(1), m.any(0))) for m in (mask, ~mask))
    assert covered.min() > 60 and covered.max() < 140


@pytest.mark.parametrize('kind', ['classmix', 'cutmix'])
def test_batches_mix_their_own_datasets_in_any_number_of_processes(
    tmp_path: Path, kind: str
) -> None:
    """With two processes each has its half of the same batch; datasets are not mixed."""
    dataset = write_streets(tmp_path, 6)
    part = Ingredient(str(dataset), 'all', scale=(1.0, 1.0))
    recipe = small_recipe(dataset, batch=4, augmentation=replace(STILL, **{kind: 1.0}))
    data = load_dataset(dataset, 'all', {})
    mixed = TrainingBatches([data], recipe)[0]
    plain = TrainingBatches([data], replace(recipe, augmentation=STILL))[0]
    assert all(' with parts of ' in name for name in mixed.names)
    changed = (mixed.image != plain.image).any(dim=-1)
    assert (changed.flatten(1).float().mean(dim=1) > 0.05).all()
    kept = ~changed & (mixed.segmentation == plain.segmentation)
    same = (mixed.depth == plain.depth) | (mixed.depth.isnan() & plain.depth.isnan())
    assert same[kept].float().mean() > 0.95
    halves = [TrainingBatches([data], recipe, rank, 2)[0] for rank in (0, 1)]
    assert torch.equal(torch.cat([half.image for half in halves]), mixed.image)
    alone = replace(recipe, batch=2, mixture=(part, replace(part, split='first')))
    for batch in TrainingBatches([data, load_dataset(dataset, 'first', {})], alone)[0].names:
        assert ' with parts of ' not in batch


def test_probabilities_are_together_at_most_one() -> None:
    with pytest.raises(HydranetError, match=r'augmentation\.cutmix` sum to more than 1'):
        replace(STILL, classmix=0.6, cutmix=0.6)
