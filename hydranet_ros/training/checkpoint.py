# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The saved state of a training, from which it resumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hydranet_ros.data.configuration import without_paths
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.torch_files import read_torch_file

MAY_CHANGE = frozenset(
    {'steps', 'evaluation', 'complete', 'best', 'description', 'license', 'workers', 'threads'}
    | {'cache', 'log_every', 'evaluate_every', 'save_every'}
    | {'default_focal', 'default_size', 'focal_range'}
)
"""Fields of the recipe that may differ when a training resumes."""


@dataclass
class TrainingState:
    """Everything that a step depends on, except its samples, which follow from its number."""

    step: int  # steps done
    network: Mapping[str, Tensor]
    criterion: Mapping[str, Tensor]
    average: Mapping[str, Tensor]  # empty without averaging
    average_updates: int  # number of updates of the average
    optimizer: Mapping[str, Any]
    random: Tensor  # state of torch's generator
    best: float | None  # best figure so far
    best_of: str  # description of that figure
    recipe: Mapping[str, Any]  # as plain values, to detect a changed recipe

    def require_recipe(self, recipe: Mapping[str, Any], directory: Path) -> None:
        """
        Raise HydranetError if a recipe differs from the saved one in a field not in MAY_CHANGE.

        Paths are compared by file name: a training may resume on another machine.
        """
        now, then = without_paths(dict(recipe)), without_paths(dict(self.recipe))
        changed = sorted(key for key in now if key not in MAY_CHANGE and now[key] != then.get(key))
        if changed:
            raise HydranetError(
                f'{directory} holds a training with another recipe ({", ".join(changed)}); '
                'choose another directory, or remove this one.'
            )


def save_state(path: Path, state: TrainingState) -> None:
    """Write a state atomically."""
    partial = path.with_name(path.name + '.partial')
    try:
        torch.save(vars(state), partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        raise HydranetError(
            f'Cannot write checkpoint {path} ({error}); free some space.'
        ) from error


def load_state(path: Path) -> TrainingState:
    """Read a state."""
    meaning = 'training state; remove it to start again'
    content = read_torch_file(path, meaning)
    try:
        return TrainingState(**content)
    except TypeError as error:
        raise HydranetError(f'{path} is damaged or not a {meaning}.') from error
