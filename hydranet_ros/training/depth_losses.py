# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The depth loss: berHu loss on metres or on their logarithm, and optional terms."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hydranet_ros.training.distributed import Reduction, weighted_mean
from hydranet_ros.training.recipe import Losses

_BERHU_SHARE = 0.2
_TANGENT_FROM = 0.5
_VARIANCE_FOCUS = 0.85
_GRADIENT_STEPS = (1, 2, 4, 8)


def depth_loss(
    output: Tensor, truth: Tensor, weights: Tensor, options: Losses, reduction: Reduction
) -> Tensor:
    """
    Return the loss between upsampled outputs of the depth head and true depth, both N x H x W.

    The deployed depth is the absolute value of the output, in metres at the canonical focal
    length; the linear loss uses this absolute value. The logarithmic loss pulls negative outputs
    to positive values.

    Parameters
    ----------
    truth
        Metres, NaN or 0 where unknown.
    weights
        Weights of the samples, shape N.

    """
    valid = torch.isfinite(truth) & (truth > 0)
    # Unknown depth may have any positive value, since its weight is 0.
    truth = torch.where(valid, truth, 1.0)
    in_log = options.depth_space == 'log'
    predicted = output if in_log else output.abs()
    if options.depth_tolerance:
        # A prediction within the tolerance is taken as the truth: no error, no gradient.
        nearest = torch.maximum(truth - options.depth_tolerance, truth / 2)
        truth = predicted.detach().clamp(nearest, truth + options.depth_tolerance)
    of_pixels = valid * weights[:, None, None]
    error = log_ratio(predicted, truth) if in_log else predicted - truth
    loss = berhu(error, of_pixels, reduction)
    if options.silog or options.depth_gradient:
        ratio = error if in_log else log_ratio(predicted, truth)
        if options.silog:
            loss = loss + options.silog * silog(ratio, valid, weights, reduction)
        if options.depth_gradient:
            loss = loss + options.depth_gradient * gradient_loss(ratio, of_pixels, reduction)
    return loss


def berhu(error: Tensor, weights: Tensor, reduction: Reduction) -> Tensor:
    """
    Return the inverse Huber loss (Laina et al. 2016).

    The loss of an error e is ``|e|`` up to ``c``, and ``(e² + c²) / 2c`` above; ``c`` is 0.2 times
    the largest ``|e|`` of the batch's valid pixels. Where there is no ground truth, errors must be
    finite and weights 0.
    """
    size = error.abs()
    largest = reduction.max((size * (weights > 0)).amax().detach())
    threshold = (_BERHU_SHARE * largest).clamp(min=1e-12)
    above = (size.square() + threshold.square()) / (2 * threshold)
    return weighted_mean(torch.where(size <= threshold, size, above), weights, reduction)


def log_ratio(output: Tensor, truth: Tensor) -> Tensor:
    """
    Return ``log(output / truth)``; for outputs below ``truth / 2``, its tangent at that value.

    The slope of the logarithm is 1 / output, so outputs near 0, which occur in the first steps of
    a training, would outweigh all other pixels. The tangent limits the slope to 2 / truth, and
    pulls negative outputs to positive values.
    """
    ratio = output / truth
    tangent = math.log(_TANGENT_FROM) + ratio / _TANGENT_FROM - 1
    return torch.where(ratio > _TANGENT_FROM, ratio.clamp(min=_TANGENT_FROM).log(), tangent)


def silog(ratio: Tensor, valid: Tensor, weights: Tensor, reduction: Reduction) -> Tensor:
    """
    Return the scale-invariant logarithmic error (Eigen et al. 2014), averaged over images.

    The error is ``sqrt(mean(r²) - 0.85 mean(r)²)`` over the valid pixels of an image, as in BTS
    (Lee et al. 2019). A common factor on all depths has little effect.

    Parameters
    ----------
    ratio, valid
        N x H x W: ``log(output / truth)``, and whether the truth is known.
    weights
        Weights of the images, shape N.

    """
    count = valid.sum(dim=(1, 2))
    masked = ratio * valid
    mean = masked.sum(dim=(1, 2)) / count.clamp(min=1)
    square = masked.square().sum(dim=(1, 2)) / count.clamp(min=1)
    # Stay above 0, where the square root has an infinite slope.
    losses = (square - _VARIANCE_FOCUS * mean.square()).clamp(min=1e-8).sqrt()
    return weighted_mean(losses, weights * (count > 0), reduction)


def gradient_loss(ratio: Tensor, weights: Tensor, reduction: Reduction) -> Tensor:
    """
    Return the mean absolute difference of ``log(output / truth)`` between neighbouring pixels.

    The loss favours depth with edges where the truth has them (Li and Snavely, MegaDepth, 2018).
    The mean is over four scales, which use every 1st, 2nd, 4th and 8th row and column. The weight
    of a pair of neighbours is the lesser of the ``weights`` of its two pixels (N x H x W, like
    the ratios).
    """
    losses, of_pairs = [], []
    for step in _GRADIENT_STEPS:
        coarse, weight = ratio[:, ::step, ::step], weights[:, ::step, ::step]
        for axis in (1, 2):
            length = coarse.shape[axis]
            first, second = (weight.narrow(axis, start, length - 1) for start in (0, 1))
            of_pairs.append(torch.minimum(first, second).flatten())
            losses.append(coarse.diff(dim=axis).abs().flatten())
    return weighted_mean(torch.cat(losses), torch.cat(of_pairs), reduction)
