# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The state of a training on disk, from which it goes on as if it had not stopped."""

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
    | {'cache', 'log_every', 'evaluate_every', 'save_every', 'default_focal'}
)
"""What a training that goes on may change of its recipe."""


@dataclass
class TrainingState:
    """
    All that a step depends on. Which samples it draws follows from its number alone.

    Attributes
    ----------
    step
        Steps done.
    network, criterion, average, optimizer
        Their state dicts; the average's is empty where there is none.
    average_updates
        Updates of the average.
    random
        State of torch's generator.
    best
        Best figure so far, or None.
    best_of
        What it is the best of.
    recipe
        The recipe as plain values, to notice that another one goes on.

    """

    step: int
    network: Mapping[str, Tensor]
    criterion: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    average_updates: int
    optimizer: Mapping[str, Any]
    random: Tensor
    best: float | None
    best_of: str
    recipe: Mapping[str, Any]

    def require_recipe(self, recipe: Mapping[str, Any], directory: Path) -> None:
        """
        Check that this is the state of a training by a recipe.

        Of paths only the files' names count: the training may go on on another machine.

        Parameters
        ----------
        recipe
            The recipe that is to go on, as plain values.
        directory
            Where the state was found.

        Raises
        ------
        HydranetError
            If the recipes differ in more than ``MAY_CHANGE``.

        """
        now, then = without_paths(dict(recipe)), without_paths(dict(self.recipe))
        changed = sorted(key for key in now if key not in MAY_CHANGE and now[key] != then.get(key))
        if changed:
            raise HydranetError(
                f'{directory} holds a training with another recipe ({", ".join(changed)}); '
                'choose another directory or remove it.'
            )


def save_state(path: Path, state: TrainingState) -> None:
    """
    Write a state; the file is replaced whole or not at all.

    Raises
    ------
    HydranetError
        If it cannot be written.

    """
    partial = path.with_name(path.name + '.partial')
    try:
        torch.save(vars(state), partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        raise HydranetError(
            f'Cannot write checkpoint {path} ({error}); free some space.'
        ) from error


def load_state(path: Path) -> TrainingState:
    """
    Read a state.

    Raises
    ------
    HydranetError
        If the file is missing, damaged or no training state.

    """
    meaning = 'training state; remove it to start again'
    content = read_torch_file(path, meaning)
    try:
        return TrainingState(**content)
    except TypeError as error:
        raise HydranetError(f'{path} is damaged, or no {meaning}.') from error
