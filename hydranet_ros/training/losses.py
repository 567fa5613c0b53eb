# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The losses, one per task, over annotated pixels only.

Each loss is a weighted mean over the valid pixels of the whole batch. Each process divides the sum
over its own pixels by the total weight of the pixels of all processes, and multiplies by the
number of processes. The mean gradient over the processes then equals the gradient of one process
with the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import math
from typing import Protocol

import torch
from torch import nn, Tensor
from torch.nn import functional

from hydranet_ros.model.labels import UNLABELED
from hydranet_ros.model.network import enlarge, TRAINED_UPSAMPLING
from hydranet_ros.training.batches import Batch
from hydranet_ros.training.depth_losses import depth_loss
from hydranet_ros.training.distributed import Reduction, weighted_mean
from hydranet_ros.training.lovasz import lovasz_losses
from hydranet_ros.training.recipe import Losses

NEGLIGIBLE = -1e4
"""Logit of an excluded class."""


class Head(Protocol):
    """Computes the raw output of a task for a batch, or for some of its samples and channels."""

    def __call__(self, samples: Tensor | None = None, channels: slice | None = None) -> Tensor:
        """
        Return N x C x H/4 x W/4, with gradients.

        Parameters
        ----------
        samples
            Ascending int64 indices of samples, which may be empty; None for all.
        channels
            Output channels; None for all.

        """
        ...


def segmentation_loss(
    head: Head,
    batch: Batch,
    slices: Sequence[slice],
    class_weights: Sequence[Tensor],
    reduction: Reduction,
    *,
    lovasz: float = 0.0,
) -> Tensor:
    """
    Return the cross entropy of samples, each over the logits of its own label set.

    Parameters
    ----------
    head
        Computes logits. For each sample, only the logits of its label set are computed: with many
        label sets, computing all logits would be a third of the network's work.
    slices, class_weights
        For each label set: its channels, and the weights of its classes.
    lovasz
        Weight of the Lovasz-softmax loss, averaged over images; 0 for none.

    """
    losses, weights, regions = [], [], []
    for number, (channels, class_weight) in enumerate(zip(slices, class_weights, strict=True)):
        members = torch.nonzero(batch.label_set == number)[:, 0]
        target, raw = _without_unknown(
            batch.segmentation[members].long(), head(members, channels), batch.unknown[members]
        )
        logits = _enlarge(raw, batch)
        loss = functional.cross_entropy(logits, target, ignore_index=UNLABELED, reduction='none')
        padded = functional.pad(class_weight, (0, UNLABELED + 1 - len(class_weight)))
        weight = padded[target] * batch.weights['segmentation'][members, None, None]
        losses.append(loss.flatten())
        weights.append(weight.flatten())
        if lovasz:
            labelled = (target != UNLABELED).flatten(1).any(dim=1)
            counted = batch.weights['segmentation'][members] * labelled
            regions.append((lovasz_losses(raw, target), counted))
    total = weighted_mean(torch.cat(losses), torch.cat(weights), reduction)
    if lovasz:
        per_image, of_images = (torch.cat(parts) for parts in zip(*regions, strict=True))
        total = total + lovasz * weighted_mean(per_image, of_images, reduction)
    return total


def _without_unknown(target: Tensor, raw: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor]:
    """
    Exclude classes that a sample's annotator does not know (N x 256) from the loss.

    Their logits, N x C x H/4 x W/4, become negligible; their pixels in the target, N x H x W,
    become unlabelled.
    """
    raw = raw.masked_fill(unknown[:, : raw.shape[1], None, None], NEGLIGIBLE)
    samples = torch.arange(len(target), device=target.device)[:, None, None]
    return target.masked_fill(unknown[samples, target], UNLABELED), raw


def normals_loss(raw: Tensor, batch: Batch, reduction: Reduction) -> Tensor:
    """
    Return 1 minus the cosine of the angle between predicted and true normals.

    The vectors of the raw output, N x 3 x H/4 x W/4, may have any length.
    """
    enlarged = _enlarge(raw, batch)
    normals = torch.full_like(enlarged, torch.nan) if batch.normals is None else batch.normals
    valid = torch.isfinite(normals).all(dim=1)
    truth = torch.where(valid[:, None], normals, 0.0)
    cosine = functional.cosine_similarity(enlarged, truth, dim=1)
    return weighted_mean(1 - cosine, valid * batch.weights['normals'][:, None, None], reduction)


class Criterion(nn.Module):
    """
    The weighted sum of the tasks' losses.

    Parameters
    ----------
    weights
        Fixed weights, by task name.
    slices, class_weights
        For each label set: its channels, and the weights of its classes.
    options
        With learned weights (``weighting: uncertainty``; Kendall et al. 2018), a task with loss L
        adds ``exp(-s) L + s``, where ``s`` is learned, instead of L times the fixed weight.

    """

    def __init__(
        self,
        weights: Mapping[str, float],
        slices: Sequence[slice] = (),
        class_weights: Sequence[Tensor] = (),
        options: Losses | None = None,
        reduction: Reduction | None = None,
    ) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.slices = tuple(slices)
        self.class_weights = [weight.float() for weight in class_weights]
        self.options = options or Losses()
        self.reduction = reduction or Reduction()
        self.log_variance = nn.ParameterDict(
            {task: nn.Parameter(torch.zeros(())) for task in weights}
            if self.options.weighting == 'uncertainty'
            else {}
        )
        self._losses: dict[str, Callable[[Head, Batch], Tensor]] = {
            'segmentation': self._segmentation,
            'depth': lambda head, batch: depth_loss(
                _enlarge(head(), batch)[:, 0],
                batch.depth,
                batch.weights['depth'],
                self.options,
                self.reduction,
            ),
            'normals': lambda head, batch: normals_loss(head(), batch, self.reduction),
        }

    @property
    def learned(self) -> dict[str, float]:
        """Return each task's learned weight; empty if the weights are fixed."""
        return {task: math.exp(-float(s.detach())) for task, s in self.log_variance.items()}

    def _segmentation(self, head: Head, batch: Batch) -> Tensor:
        weights = [weight.to(batch.image.device) for weight in self.class_weights]
        return segmentation_loss(
            head, batch, self.slices, weights, self.reduction, lovasz=self.options.lovasz
        )

    def forward(self, heads: Mapping[str, Head], batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum to minimise, and the loss of each task without gradient."""
        total = torch.zeros((), device=batch.image.device)
        parts = {}
        for task, weight in self.weights.items():
            loss = self._losses[task](heads[task], batch)
            parts[task] = loss.detach()
            if task in self.log_variance:
                uncertainty = self.log_variance[task]
                total = total + (-uncertainty).exp() * loss + uncertainty
            else:
                total = total + weight * loss
        return total, parts


def _enlarge(raw: Tensor, batch: Batch) -> Tensor:
    height, width = batch.image.shape[1:3]
    return enlarge(raw.float(), height, width, TRAINED_UPSAMPLING, 'bilinear')
