# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The layers of the encoders: convolutions with batch norm, and inverted residual blocks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn, Tensor
from torch.nn import functional

from hydranet_ros.model.encoders import Encoder, Stage, STEM_CHANNELS


class NormalizedConvolution(nn.Sequential):
    """
    A convolution without bias, its batch norm, and an optional activation.

    Frozen batch norm is one factor and one offset per channel. When training on a CPU, both are
    merged into the convolution: this saves two passes over the convolution's output, forward and
    backward, and gives the same gradients. On a GPU, merging would cost more than it saves,
    because it launches many small operations on weights.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map N x C x H x W features to N x C' x H/stride x W/stride features."""
        convolution, norm, *rest = self
        if not self.training or norm.training or x.is_cuda:
            return super().forward(x)
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        x = functional.conv2d(
            x,
            convolution.weight * factor[:, None, None, None],
            norm.bias - norm.running_mean * factor,
            stride=convolution.stride,
            padding=convolution.padding,
            groups=convolution.groups,
        )
        for module in rest:
            x = module(x)
        return x


def _convolution(
    encoder: Encoder,
    channels_in: int,
    channels_out: int,
    kernel: int,
    *activation: nn.Module,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Make a convolution with batch norm whose output has ceil(H / stride) rows."""
    pads_end = encoder.pads_end and stride == 2
    padding = 0 if pads_end else kernel // 2
    convolution = nn.Conv2d(
        channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False
    )
    norm = nn.BatchNorm2d(channels_out, eps=encoder.norm_epsilon)
    normalized = NormalizedConvolution(convolution, norm, *activation)
    if not pads_end:
        return normalized
    before = kernel // 2 - 1
    after = kernel - 1 - before
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), normalized)


class InvertedResidual(nn.Module):
    """Expand (1x1 convolution), filter (depthwise convolution), project (linear 1x1)."""

    def __init__(self, encoder: Encoder, channels_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = channels_in * stage.expansion
        self.residual = stride == 1 and channels_in == stage.channels
        expansion = []
        if stage.expansion != 1 or encoder.expands_always:
            expansion = [_convolution(encoder, channels_in, hidden, 1, nn.ReLU6(inplace=True))]
        self.output = nn.Sequential(
            *expansion,
            _convolution(
                encoder,
                hidden,
                hidden,
                stage.kernel,
                nn.ReLU6(inplace=True),
                stride=stride,
                groups=hidden,
            ),
            _convolution(encoder, hidden, stage.channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.output(x) if self.residual else self.output(x)


def encoder_layers(encoder: Encoder) -> Iterator[nn.Module]:
    """Make the layers of an encoder, beginning with the stem."""
    yield _convolution(encoder, 3, STEM_CHANNELS, 3, nn.ReLU6(inplace=True), stride=2)
    channels = STEM_CHANNELS
    for stage in encoder.stages:
        blocks = []
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            blocks.append(InvertedResidual(encoder, channels, stage, stride))
            channels = stage.channels
        yield nn.Sequential(*blocks)
