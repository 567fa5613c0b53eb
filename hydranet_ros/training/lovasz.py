# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The Lovasz-softmax loss, a differentiable approximation of 1 - IoU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hydranet_ros.model.labels import UNLABELED
from hydranet_ros.model.network import OUTPUT_STRIDE


def lovasz_losses(raw: Tensor, target: Tensor) -> Tensor:
    """
    Return the Lovasz-softmax loss of each image; all images have the same label set.

    It is computed at the output resolution of the network, where sorting all pixels is cheap.
    Logits are N x C x H/4 x W/4; the target is N x H x W class ids or ``UNLABELED``.
    """
    # An output cell covers OUTPUT_STRIDE x OUTPUT_STRIDE pixels; the last cells extend beyond the
    # image.
    beyond = [OUTPUT_STRIDE * raw.shape[axis] - target.shape[axis] for axis in (-1, -2)]
    padded = functional.pad(target, (0, beyond[0], 0, beyond[1]), value=UNLABELED)
    targets = functional.interpolate(
        padded[:, None].float(), size=raw.shape[-2:], mode='nearest-exact'
    ).long()
    return lovasz_softmax(raw.float().softmax(dim=1).flatten(2), targets.flatten(1))


def lovasz_softmax(probability: Tensor, target: Tensor) -> Tensor:
    """
    Return the Lovasz extension of 1 - IoU, averaged over the classes of each image (shape N).

    Berman, Rannen Triki and Blaschko, The Lovasz-Softmax Loss, CVPR 2018. IoU weighs all classes
    alike, so this loss helps small classes such as poles and signs. All classes of all images are
    sorted at once, since GPUs are faster with few large operations.

    Parameters
    ----------
    probability
        N x C x P: the probability of each class at each of P pixels.
    target
        N x P, class ids or ``UNLABELED``; the loss of an image without labels is zero.

    """
    classes = torch.arange(probability.shape[1], device=target.device)
    is_class = target[:, None] == classes[:, None]
    image, number = is_class.any(dim=2).nonzero(as_tuple=True)
    foreground = is_class[image, number].float()
    labelled = (target != UNLABELED)[image]
    error = (foreground - probability[image, number]).abs() * labelled
    # Unlabelled pixels are sorted last, where they do not affect the others.
    order = error.detach().masked_fill(~labelled, -1.0).argsort(dim=1, descending=True)
    sorted_foreground = foreground.gather(1, order)
    size = foreground.sum(dim=1, keepdim=True)
    missed = sorted_foreground.cumsum(1)
    union = size + (1 - sorted_foreground).cumsum(1)
    jaccard_loss = 1 - (size - missed) / union
    step = torch.diff(jaccard_loss, dim=1, prepend=torch.zeros_like(size))
    losses = (error.gather(1, order) * step).sum(dim=1)
    zero = losses.new_zeros(len(target))
    count = zero.index_add(0, image, torch.ones_like(losses))
    return zero.index_add(0, image, losses) / count.clamp(min=1)
