# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The module that training runs: network and loss, made from a recipe."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn, Tensor

from hydranet_ros.data.sample import Dataset
from hydranet_ros.model.bundle import BundleMetadata
from hydranet_ros.model.network import HydraNet, normalize
from hydranet_ros.training.batches import Batch
from hydranet_ros.training.class_weights import class_weights
from hydranet_ros.training.distributed import Reduction
from hydranet_ros.training.initial_weights import start_network, typical_depth
from hydranet_ros.training.losses import Criterion, Head
from hydranet_ros.training.recipe import Recipe


class NetworkWithLoss(nn.Module):
    """Network and loss as one module, so that processes average the gradients of both."""

    def __init__(
        self,
        recipe: Recipe,
        metadata: BundleMetadata,
        datasets: Sequence[Dataset],
        reduction: Reduction,
    ) -> None:
        super().__init__()
        criterion = Criterion(
            {task: recipe.losses.weights[task] for task in recipe.tasks},
            [slice(piece.start, piece.stop) for piece in metadata.label_slices],
            [torch.from_numpy(weights) for weights in class_weights(recipe, datasets)],
            recipe.losses,
            reduction,
        )
        self.network: HydraNet
        self.network, self.start = start_network(recipe, typical_depth(recipe, datasets))
        self.criterion = criterion
        self._metadata = metadata

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, and each task's loss."""
        image = normalize(batch.image, self._metadata.mean, self._metadata.std)
        features = self.network.decode(self.network.encode(image))
        heads = {task: self._head(task, features) for task in self.network.tasks}
        loss, parts = self.criterion(heads, batch)
        return loss, parts

    def _head(self, task: str, features: Tensor) -> Head:
        def head(samples: Tensor | None = None, channels: slice | None = None) -> Tensor:
            chosen = features
            if samples is not None and len(samples) < len(features):
                # Select in N x H x W x C to keep the channels last: otherwise the head is slow.
                chosen = features.permute(0, 2, 3, 1).index_select(0, samples).permute(0, 3, 1, 2)
            return self.network.head(task, chosen, channels)

        return head
