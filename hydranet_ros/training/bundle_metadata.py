# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The metadata of a trained model, with its provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import math
from pathlib import Path
import platform
import re
from typing import Any

import cv2
import numpy as np
import torch

from hydranet_ros.data.configuration import without_paths
from hydranet_ros.data.sample import Dataset
from hydranet_ros.model.bundle import BundleMetadata, LabelSlice, load_bundle
from hydranet_ros.model.encoders import ENCODERS
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import TRAINED_UPSAMPLING
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.training.recipe import Recipe
from hydranet_ros.training.transforms import allowed_factors

_MIDDLE_THIRD = (1 / 3, 2 / 3)
_CAMERAS = 8
"""Number of images of a dataset whose focal lengths are read; most datasets have one camera."""


def metadata_of(
    recipe: Recipe,
    provenance: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
    focal_range: tuple[float, float] | None = None,
) -> BundleMetadata:
    """Return the metadata of a network that was trained with a recipe; see `trained_focals`."""
    encoder = ENCODERS[recipe.architecture]
    return BundleMetadata(
        name=recipe.name,
        tasks=recipe.channels(),
        label_slices=LabelSlice.concatenate(map(load_label_set, recipe.label_sets)),
        architecture=recipe.architecture,
        mean=encoder.mean,
        std=encoder.std,
        depth_range=recipe.depth_range,
        interpolation='bilinear',
        upsampling=TRAINED_UPSAMPLING,
        canonical_focal=recipe.canonical_focal,
        default_focal=recipe.default_focal,
        default_size=recipe.default_size,
        focal_range=focal_range,
        license=recipe.license,
        provenance=dict(provenance or {}),
        figures=dict(figures or {}),
    )


def trained_focals(recipe: Recipe, datasets: Sequence[Dataset]) -> tuple[float, float] | None:
    """
    Return the range of focal lengths, in pixels, of the middle third of the training samples.

    Resizing an image multiplies its focal length. The lowest and highest thirds are omitted,
    because the network is less accurate there (docs/experiments/resolution.md). The result is None
    if no dataset has a focal length, or the recipe treats all cameras as one.
    """
    if recipe.canonical_focal is None:
        return None
    positions = np.linspace(0, 1, 101)
    logarithms, weights = [], []
    for part, dataset in zip(recipe.mixture, datasets, strict=True):
        for index in np.linspace(0, len(dataset) - 1, min(len(dataset), _CAMERAS)):
            sample = dataset.load(int(index))
            if sample.fx is None:
                continue
            rows, columns = sample.image.shape[:2]
            if part.stretch is not None:
                columns *= math.sqrt(math.prod(part.stretch.width))
                above = part.stretch.horizon * rows
                rows += above * (math.sqrt(math.prod(part.stretch.height)) - 1)
            for height, width in recipe.crops:
                factors = allowed_factors(part.scale, height / rows, width / columns)
                lowest, highest = np.log(sample.fx) + np.log(factors)
                logarithms.append(lowest + (highest - lowest) * positions)
                weights.append(np.full(len(positions), part.share / min(len(dataset), _CAMERAS)))
    if not logarithms:
        return None
    values, weight = np.concatenate(logarithms), np.concatenate(weights)
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order]) / weight.sum()
    lower, upper = np.exp(np.interp(_MIDDLE_THIRD, cumulative, values[order]))
    return float(lower), float(upper)


def describe_training(
    recipe: Recipe,
    datasets: Sequence[Dataset],
    step: int,
    command: Sequence[str],
    made_with: Mapping[str, Any],
    *,
    start: BundleMetadata | None = None,
) -> dict[str, Any]:
    """
    Return how a network was trained, in plain JSON types.

    ``command`` has the words of the command line. ``made_with`` is the provenance of code and
    files, ``start`` the metadata of the starting model; both were read when training began.
    """
    started_from = {}
    if start is not None:
        started_from = {'started_from': {'name': start.name, **start.provenance}}
    return {
        'description': recipe.description,
        'command': ' '.join(map(_without_folders, command)),
        'recipe': without_paths(dataclasses.asdict(recipe)),
        'steps_done': step,
        **started_from,
        'data': {dataset.name: _describe_data(dataset) for dataset in datasets},
        **made_with,
        'versions': {
            'python': platform.python_version(),
            'torch': torch.__version__,
            'numpy': np.__version__,
            'opencv': cv2.__version__,
        },
    }


def starting_model(recipe: Recipe) -> BundleMetadata | None:
    """Return the metadata of the starting model; None if the encoder is not a model file."""
    is_model = recipe.encoder.endswith('.safetensors')
    return load_bundle(Path(recipe.encoder).expanduser()).metadata if is_model else None


def inherited_license(recipe: Recipe, start: BundleMetadata | None) -> str:
    """Return the licence of a trained network: the recipe's, and that of the starting weights."""
    if start is None or start.license in ('unknown', recipe.license):
        return recipe.license
    return f'{recipe.license}; starts from {start.name}: {start.license}'


def _without_folders(word: str) -> str:
    """Shorten absolute paths to their last part, since folders differ between machines."""
    return re.sub(r'(?<![\w.])[~/][^\s=,]*/(?=[^\s/=,]+)', '…/', word)


def _describe_data(dataset: Dataset) -> dict[str, Any]:
    counts = dict.fromkeys(TASKS, 0)
    for index in range(len(dataset)):
        for task in dataset.tasks(index):
            counts[task] += 1
    annotated = {task: count for task, count in counts.items() if count}
    return {'images': len(dataset), 'annotated': annotated, **dataset.about}
