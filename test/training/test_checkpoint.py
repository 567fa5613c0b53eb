# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The saved state of a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.checkpoint import TrainingState


def test_the_recipes_files_may_lie_elsewhere(tmp_path: Path) -> None:
    """A training goes on on another machine, where the same files have other paths."""
    recipe = {'encoder': '/a/w.pt', 'mixture': ({'dataset': '/a/streets.yaml'},)}
    state = TrainingState(1, {}, {}, {}, 0, {}, torch.zeros(1), None, '', recipe)
    moved = {'encoder': '/b/w.pt', 'mixture': ({'dataset': '/b/streets.yaml'},)}
    state.require_recipe(moved, tmp_path)
    with pytest.raises(HydranetError, match=r'another recipe \(encoder\)'):
        state.require_recipe({**moved, 'encoder': '/a/v.pt'}, tmp_path)
