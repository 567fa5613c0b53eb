# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Weights in the form of the published checkpoints, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
import zlib

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice
from hydranet_ros.model.encoders import DEFAULT_ENCODER
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import HydraNet

VARIANTS: Mapping[str, tuple[tuple[str, ...], Mapping[str, int]]] = {
    'kitti6': (('kitti6',), {'segmentation': 6, 'depth': 1}),
    'nyud40': (('nyud40',), {'segmentation': 40, 'depth': 1}),
    'nyud40_normals': (('nyud40',), {'segmentation': 40, 'depth': 1, 'normals': 3}),
    'nyud40_kitti6': (('nyud40', 'kitti6'), {'segmentation': 46, 'depth': 1}),
}
"""Published variants: label sets and tasks."""


def published_weights(
    tasks: Mapping[str, int], architecture: str = DEFAULT_ENCODER
) -> dict[str, NDArray[np.float32]]:
    """
    Fill every tensor of a network from a generator that is seeded with its name.

    The reference outputs in ``data/golden_nyud40_three_tasks.npz`` were computed by the authors'
    architecture with these weights.
    """
    weights = {}
    for key, tensor in HydraNet(tasks, architecture=architecture).state_dict().items():
        if key.endswith('num_batches_tracked'):
            continue
        shape = tuple(tensor.shape)
        generator = np.random.default_rng(zlib.crc32(key.encode()))
        if key.endswith('running_var'):
            values = generator.uniform(0.5, 1.5, shape)
        elif key.endswith('running_mean'):
            values = 0.1 * generator.standard_normal(shape)
        elif len(shape) == 4:
            values = generator.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        elif key.endswith('.bias'):
            values = 0.1 * generator.standard_normal(shape)
        else:
            values = 1 + 0.1 * generator.standard_normal(shape)
        weights[key] = values.astype(np.float32)
    return weights


def published_bundle(variant: str = 'kitti6', **metadata: Any) -> Bundle:
    """Make a bundle of a published variant with these weights."""
    label_sets, tasks = VARIANTS[variant]
    start, slices = 0, []
    for name in label_sets:
        slices.append(LabelSlice(load_label_set(name), start))
        start = slices[-1].stop
    described = replace(BundleMetadata(variant, dict(tasks), tuple(slices)), **metadata)
    return Bundle(described, published_weights(tasks, described.architecture))
