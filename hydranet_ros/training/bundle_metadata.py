# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From a training to a model file that says where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import platform
from typing import Any

import cv2
import numpy as np
import torch

from hydranet_ros.data.configuration import without_paths
from hydranet_ros.data.sample import Dataset
from hydranet_ros.model.bundle import BundleMetadata, LabelSlice, load_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import TRAINED_UPSAMPLING
from hydranet_ros.training.recipe import Recipe


def metadata_of(
    recipe: Recipe,
    provenance: Mapping[str, Any] | None = None,
    figures: Mapping[str, Any] | None = None,
) -> BundleMetadata:
    """Return what a bundle says of a network trained by a recipe."""
    slices = []
    start = 0
    for name in recipe.label_sets:
        slices.append(LabelSlice(load_label_set(name), start))
        start = slices[-1].stop
    return BundleMetadata(
        name=recipe.name,
        tasks=recipe.channels(),
        label_slices=tuple(slices),
        depth_range=recipe.depth_range,
        interpolation='bilinear',
        upsampling=TRAINED_UPSAMPLING,
        canonical_focal=recipe.canonical_focal,
        default_focal=recipe.default_focal,
        license=recipe.license,
        provenance=dict(provenance or {}),
        figures=dict(figures or {}),
    )


def describe_training(
    recipe: Recipe,
    datasets: Sequence[Dataset],
    step: int,
    overrides: Sequence[str],
    made_with: Mapping[str, Any],
) -> dict[str, Any]:
    """
    Return how a network was trained, in plain JSON types.

    Parameters
    ----------
    recipe
        The recipe, whole.
    datasets
        Those of its mixture, opened.
    step
        Steps done.
    overrides
        What was set on the command line; paths are left out, they mean nothing elsewhere.
    made_with
        The code and the files (``provenance_of``), noted when the training began.

    """
    return {
        'description': recipe.description,
        'command': ' '.join(
            ['hydranet train', recipe.name, *(text for text in overrides if '/' not in text)]
        ),
        'recipe': without_paths(dataclasses.asdict(recipe)),
        'steps_done': step,
        **_start_of(recipe),
        'data': {dataset.name: _describe_data(dataset) for dataset in datasets},
        **made_with,
        'versions': {
            'python': platform.python_version(),
            'torch': torch.__version__,
            'numpy': np.__version__,
            'opencv': cv2.__version__,
        },
    }


def _start_of(recipe: Recipe) -> dict[str, Any]:
    """Return the provenance of the model that a training started from, if it was one."""
    if not recipe.encoder.endswith('.safetensors'):
        return {}
    start = load_bundle(recipe.encoder).metadata
    return {'started_from': {'name': start.name, **start.provenance}}


def _describe_data(dataset: Dataset) -> dict[str, Any]:
    counts = dict.fromkeys(('segmentation', 'depth', 'normals'), 0)
    for index in range(len(dataset)):
        for task in dataset.tasks(index):
            counts[task] += 1
    annotated = {task: count for task, count in counts.items() if count}
    return {'images': len(dataset), 'annotated': annotated, **dataset.about}
