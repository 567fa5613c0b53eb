# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The table of encoders: one entry per architecture, with the layers that the decoder uses.

An encoder is a stem of stride 2 (``layer1``) and stages of inverted residual blocks (``layer2`` to
``layer8``); :mod:`hydranet_ros.model.encoder_layers` builds it. This module does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STEM_CHANNELS = 32
STRIDES = (4, 8, 16, 32)
"""Strides of the features that the decoder uses."""


@dataclass(frozen=True)
class Stage:
    """Inverted residual blocks with the same number of output channels."""

    channels: int
    repeats: int
    stride: int  # of the first block; the others have 1
    kernel: int = 3
    expansion: int = 6


@dataclass(frozen=True)
class Encoder:
    """An image classifier without its classifying layers."""

    title: str
    stages: tuple[Stage, ...]
    outputs: Mapping[int, tuple[int, ...]]
    """
    Numbers of the layers that the decoder uses, for each of ``STRIDES``. Features of layers with
    the same stride are added in the order of these numbers, each after a 1x1 convolution. Another
    order would change the last bits of the results, because runtimes fuse additions into
    convolutions. Stride 4 must have a single layer.
    """
    imagenet_keys: tuple[str, ...]  # prefixes of the encoder's keys in a file of ImageNet weights
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # of RGB in [0, 1], on ImageNet
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    norm_epsilon: float = 1e-5
    expands_always: bool = False  # whether blocks of expansion 1 also have an expansion layer
    pads_end: bool = False
    """
    Whether convolutions of stride 2 are centred on odd rows and columns, as with TensorFlow's
    padding ``SAME`` for even sizes.
    """

    def channels(self, layer: int) -> int:
        """Return the number of output channels of a layer."""
        return STEM_CHANNELS if layer == 1 else self.stages[layer - 2].channels


def _efficientnet_lite(title: str, channels: tuple[int, ...], repeats: tuple[int, ...]) -> Encoder:
    """
    Describe an EfficientNet-Lite (Tan and Le 2019; the variant of 2020 for mobile devices).

    The Lite variant has no squeeze-and-excitation, and ReLU6 instead of swish. All its sizes have
    the same stem, and the same number of blocks in the first and in the last stage. Two stages
    have stride 16 and two have stride 32; the decoder uses the deeper stage of each pair.
    """
    kernels, strides = (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1)
    rows = zip(channels, repeats, strides, kernels, (1, *[6] * 6), strict=True)
    return Encoder(
        title,
        tuple(Stage(*row) for row in rows),
        outputs={4: (3,), 8: (4,), 16: (6,), 32: (8,)},
        imagenet_keys=('_conv_stem.', '_bn0.', '_blocks.'),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        norm_epsilon=1e-3,
        pads_end=True,
    )


ENCODERS: Mapping[str, Encoder] = {
    # Sandler et al. 2018, table 2, as in the published networks.
    'mobilenetv2': Encoder(
        'MobileNet-v2 of width 1',
        (
            Stage(16, 1, 1, expansion=1),
            Stage(24, 2, 2),
            Stage(32, 3, 2),
            Stage(64, 4, 2),
            Stage(96, 3, 1),
            Stage(160, 3, 2),
            Stage(320, 1, 1),
        ),
        outputs={4: (3,), 8: (4,), 16: (5, 6), 32: (8, 7)},
        imagenet_keys=tuple(f'features.{number}.' for number in range(18)),
        expands_always=True,
    ),
    'efficientnet_lite0': _efficientnet_lite(
        'EfficientNet-Lite0', (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)
    ),
    'efficientnet_lite2': _efficientnet_lite(
        'EfficientNet-Lite2', (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)
    ),
}
"""Encoder by its name in bundles and recipes."""
DEFAULT_ENCODER = 'mobilenetv2'
