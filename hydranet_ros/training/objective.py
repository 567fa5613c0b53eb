# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a training moves and what it minimises, made from its recipe."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn, Tensor

from hydranet_ros.bundle import BundleMetadata
from hydranet_ros.network import HEAD_PREFIX, HydraNet
from hydranet_ros.training.balance import class_weights
from hydranet_ros.training.batches import Batch
from hydranet_ros.training.encoder import initialize
from hydranet_ros.training.losses import Criterion, Head, Reduction
from hydranet_ros.training.recipe import Recipe
from hydranet_ros.training.sample import Dataset
from hydranet_ros.training.validation import normalize


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
            chosen = features if samples is None else features.index_select(0, samples)
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
    return Objective(start_network(recipe), criterion, metadata)


def start_network(recipe: Recipe) -> HydraNet:
    """Make a recipe's network with the weights that it starts from."""
    network = channels_last(HydraNet(recipe.channels()))
    taken: frozenset[str] = frozenset()
    if recipe.encoder:
        taken = initialize(network, recipe.encoder, recipe.label_sets, recipe.canonical_focal)
    if 'depth' in recipe.tasks and f'{HEAD_PREFIX["depth"]}.bias' not in taken:
        # abs() has no slope to learn by at zero; start where depth is.
        head = network.get_submodule(HEAD_PREFIX['depth'])
        assert isinstance(head, nn.Conv2d) and head.bias is not None
        nn.init.constant_(head.bias, recipe.initial_depth)
    return network


def channels_last(network: HydraNet) -> HydraNet:
    """Lay the weights out with channels last, which is several times faster on CPUs."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
