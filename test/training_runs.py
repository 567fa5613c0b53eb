# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Run small trainings, and compare their states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from hydranet_ros.training.loop import STATE_NAME, Trainer
from hydranet_ros.training.recipe import Recipe


def train(recipe: Recipe, directory: Path) -> Path:
    """Run a recipe to its end."""
    model = Trainer(recipe, {}, directory, accelerator='cpu').run()
    assert model is not None
    return model


def state_of(directory: Path) -> Mapping[str, torch.Tensor]:
    """Return the network's weights in the last state of a training."""
    content = torch.load(directory / STATE_NAME, weights_only=True)
    return {**content['network'], **{f'average.{k}': v for k, v in content['average'].items()}}


def assert_same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    """Check that two states are equal to the bit."""
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key
