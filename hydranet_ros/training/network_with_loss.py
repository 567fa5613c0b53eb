# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a training moves and what it minimises, made from its recipe."""

from __future__ import annotations

from collections.abc import Sequence
import math

import torch
from torch import nn, Tensor

from hydranet_ros.data.sample import Dataset
from hydranet_ros.model.bundle import BundleMetadata
from hydranet_ros.model.network import HEAD_PREFIX, HydraNet, TRAINED_UPSAMPLING
from hydranet_ros.training.batches import Batch, TrainingBatches
from hydranet_ros.training.class_weights import class_weights
from hydranet_ros.training.initial_weights import initialize
from hydranet_ros.training.losses import Criterion, Head, Reduction
from hydranet_ros.training.recipe import Recipe
from hydranet_ros.training.validation import normalize

_SAMPLES = 32
"""Number of samples by which depth is known well enough to start from."""


class Objective(nn.Module):
    """Network and loss as one module, so that all processes average all gradients."""

    def __init__(self, network: HydraNet, criterion: Criterion, metadata: BundleMetadata) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self._metadata = metadata

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, and each task's own."""
        image = normalize(batch.image, self._metadata)
        features = self.network.decode(self.network.encode(image))
        heads = {task: self._head(task, features) for task in self.network.tasks}
        loss, parts = self.criterion(heads, batch)
        return loss, parts

    def _head(self, task: str, features: Tensor) -> Head:
        def head(samples: Tensor | None = None, channels: slice | None = None) -> Tensor:
            chosen = features
            if samples is not None and len(samples) < len(features):
                # Through N x H x W x C, so that the channels stay last: else the head is slow.
                chosen = features.permute(0, 2, 3, 1).index_select(0, samples).permute(0, 3, 1, 2)
            return self.network.head(task, chosen, channels)

        return head


def make_objective(
    recipe: Recipe,
    metadata: BundleMetadata,
    datasets: Sequence[Dataset],
    reduction: Reduction,
) -> Objective:
    """
    Make network and loss as they are at the start of a training.

    Parameters
    ----------
    recipe
        What is trained.
    metadata
        What the network's outputs mean.
    datasets
        Those of its mixture; the classes' weights follow from their labels.
    reduction
        How to add over processes.

    """
    criterion = Criterion(
        {task: recipe.losses.weights[task] for task in recipe.tasks},
        [slice(piece.start, piece.stop) for piece in metadata.label_slices],
        [torch.from_numpy(weights) for weights in class_weights(recipe, datasets)],
        depth_space='log' if recipe.losses.depth_space == 'log' else 'linear',
        lovasz=recipe.losses.lovasz,
        learned=recipe.losses.weighting == 'uncertainty',
        reduction=reduction,
    )
    network = start_network(recipe, typical_depth(recipe, datasets))
    return Objective(network, criterion, metadata)


def typical_depth(recipe: Recipe, datasets: Sequence[Dataset]) -> float:
    """
    Return the geometric mean of the depth that the first samples of a training are taught.

    Parameters
    ----------
    recipe
        What is trained.
    datasets
        Those of its mixture.

    Returns
    -------
    float
        Metres, as the network is to give them; 1 where no pixel has depth.

    """
    if 'depth' not in recipe.tasks:
        return 1.0
    batches = TrainingBatches(datasets, recipe)
    depths = [batches[number].depth for number in range(math.ceil(_SAMPLES / recipe.batch))]
    logarithms = torch.cat([depth[depth > 0].log() for depth in depths])
    return float(logarithms.mean().exp()) if len(logarithms) else 1.0


def start_network(recipe: Recipe, initial_depth: float) -> HydraNet:
    """
    Make a recipe's network with the weights that it starts from.

    Parameters
    ----------
    recipe
        What is trained.
    initial_depth
        Metres that it gives for every pixel, unless it starts with weights that know better.
        Far from what the data have, all gradients would agree for some steps that everything
        has to become larger, or smaller; that drives most features of the decoder to where ReLU6
        has no slope, and they do not come back.

    """
    network = channels_last(HydraNet(recipe.channels(), TRAINED_UPSAMPLING))
    taken: frozenset[str] = frozenset()
    if recipe.encoder:
        taken = initialize(network, recipe.encoder, recipe.label_sets, recipe.canonical_focal)
    if 'depth' in recipe.tasks and f'{HEAD_PREFIX["depth"]}.bias' not in taken:
        head = network.get_submodule(HEAD_PREFIX['depth'])
        assert isinstance(head, nn.Conv2d) and head.bias is not None
        nn.init.constant_(head.bias, initial_depth)
    return network


def channels_last(network: HydraNet) -> HydraNet:
    """Lay the weights out with channels last, which is several times faster on CPUs."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
