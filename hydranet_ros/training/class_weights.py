# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Class weights: rare classes, such as poles, weigh more than frequent ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import Dataset
from hydranet_ros.model.labels import load_label_set, UNLABELED
from hydranet_ros.training.recipe import Recipe

LARGEST_WEIGHT = 10.0
"""Largest weight of a class; an average pixel has weight 1."""


def class_weights(recipe: Recipe, datasets: Sequence[Dataset]) -> list[NDArray[np.float32]]:
    """
    Return the class weights of each label set of a recipe.

    The weight of a class of frequency f is proportional to ``f ** -b``, where b is the recipe's
    exponent for the label set. An average pixel has weight 1. Classes that do not occur have
    weight 1.
    """
    weights = []
    for name in recipe.label_sets:
        size = load_label_set(name).size
        exponent = recipe.losses.balance.get(name, 0.0)
        if exponent == 0.0:
            weights.append(np.ones(size, np.float32))
            continue
        frequency = np.zeros(size)
        for part, dataset in zip(recipe.mixture, datasets, strict=True):
            if dataset.label_set == name:
                frequency += part.share * _class_frequencies(dataset, size)
        weights.append(weights_of(frequency, exponent))
    return weights


def weights_of(frequency: NDArray[np.float64], exponent: float) -> NDArray[np.float32]:
    """Return ``frequency ** -exponent``, scaled to a mean of 1 over the pixels."""
    present = frequency > 0
    weights = np.ones(len(frequency))
    share = frequency[present] / frequency.sum()
    raw = share**-exponent
    weights[present] = np.minimum(raw / (share * raw).sum(), LARGEST_WEIGHT)
    return weights.astype(np.float32)


def _class_frequencies(dataset: Dataset, size: int) -> NDArray[np.float64]:
    """Return the share of each class in a dataset's labelled pixels."""
    counts = np.zeros(UNLABELED + 1, np.int64)
    for index in range(len(dataset)):
        if 'segmentation' in dataset.tasks(index):
            labels = dataset.load(index).segmentation
            assert labels is not None
            counts += np.bincount(labels.ravel(), minlength=len(counts))
    return counts[:size] / max(int(counts[:size].sum()), 1)
