# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
METER (Papa, Russo and Amerini 2023), a small MobileViT for depth, as a teacher.

This is METER's smallest size, XXS. It was trained on KITTI with laser depth, and predicts metres
for KITTI's cameras. Its depth of distant points is right, whereas networks trained on stereo pairs
underestimate such depth. The network is implemented here from its description (arXiv 2403.08368);
only its published weights are loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from hydranet_ros.training.distillation.teachers.base import file_sha256
from hydranet_ros.training.distillation.teachers.whole_frame_depth import (
    load_weights,
    require_size,
    WholeFrameDepthTeacher,
)

_STEM = 16
_INVERTED_RESIDUALS = (
    (16, 16, 1),
    (16, 24, 2),
    (24, 24, 1),
    (24, 24, 1),
    (24, 48, 2),
    (48, 64, 2),
    (64, 80, 2),
)
"""Input channels, output channels and stride of the MobileNet-v2 blocks; expansion is 2."""
_TRANSFORMERS = ((48, 64, 128), (64, 80, 320), (80, 96, 384))
"""Channels, width and hidden width of MobileViT blocks, one after each of the last three above."""
_HEADS, _HEAD_WIDTH = 4, 8
_PATCH = 2
_ENCODED = 160
_DECODER = ((64, 32, 64), (32, 16, 48), (16, 8, 24))
"""Input, output and concatenated encoder channels of the three upsampling steps."""
_UNITS_PER_METRE = 10.0  # the network predicts decimetres
_NEAREST = 0.5  # metres; smaller predictions are not reliable
_STRIDE = 64  # stride 32 of the deepest level, times 2 for the patches


class _Separable(nn.Module):
    """A 3x3 and a 1x1 convolution; despite its published name, the 3x3 is not depthwise."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.pointwise = nn.Conv2d(after, after, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.depthwise(x))


def _normalised(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())


def _pointwise(before: int, after: int) -> nn.Sequential:
    return _normalised(nn.Conv2d(before, after, 1, bias=False), after)


class _InvertedResidual(nn.Module):
    """MobileNet-v2's block with ReLU."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        hidden = 2 * before
        depthwise = nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False)
        self.conv = nn.Sequential(
            *_pointwise(before, hidden),
            *_normalised(depthwise, hidden),
            nn.Conv2d(hidden, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self._residual = stride == 1 and before == after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self._residual else self.conv(x)


class _Attention(nn.Module):
    """Multi-head self-attention over the second-to-last axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = _HEADS * _HEAD_WIDTH
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        by_head = self.to_qkv(x).unflatten(-1, (3, _HEADS, _HEAD_WIDTH)).movedim(-3, 0)
        query, key, value = by_head.transpose(-2, -3)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self.to_out(attended.transpose(-2, -3).flatten(-2))


class _FeedForward(nn.Module):
    """Two linear layers, named as in the weight file."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Identity(), nn.Linear(hidden, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class _PreNorm(nn.Module):
    """A layer norm, then a layer whose output is added to the input."""

    def __init__(self, width: int, layer: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.fn(self.norm(x))


class _Transformer(nn.Module):
    """One layer of attention and one feed-forward layer."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        attention = _PreNorm(width, _Attention(width))
        feed_forward = _PreNorm(width, _FeedForward(width, hidden))
        self.layers = nn.Sequential(nn.Sequential(attention, feed_forward))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class _MobileViT(nn.Module):
    """MobileViT block: attention among pixels at the same position in all 2x2 patches."""

    def __init__(self, channels: int, width: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = _normalised(_Separable(channels, channels), channels)
        self.conv2 = _pointwise(channels, width)
        self.transformer = _Transformer(width, hidden)
        self.conv3 = _pointwise(width, channels)
        self.conv4 = _normalised(_Separable(2 * channels, channels), channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        local = self.conv2(self.conv1(x))
        count, width, height, length = local.shape
        rows, columns = height // _PATCH, length // _PATCH
        patches = local.view(count, width, rows, _PATCH, columns, _PATCH)
        places = patches.permute(0, 3, 5, 2, 4, 1)
        tokens = places.reshape(count, _PATCH * _PATCH, rows * columns, width)
        attended = self.transformer(tokens).view(places.shape)
        whole = attended.permute(0, 5, 3, 1, 4, 2).reshape(local.shape)
        return self.conv4(torch.cat([self.conv3(whole), x], dim=1))


class _Encoder(nn.Module):
    """Features at 1/32 of the image size, and intermediate features at 1/16, 1/8 and 1/4."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _normalised(_Separable(3, _STEM, stride=2), _STEM)
        self.mv2 = nn.ModuleList(_InvertedResidual(*block) for block in _INVERTED_RESIDUALS)
        self.mvit = nn.ModuleList(_MobileViT(*block) for block in _TRANSFORMERS)
        self.conv2 = _pointwise(_TRANSFORMERS[-1][0], _ENCODED)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        fourth = self.mv2[1](self.mv2[0](self.conv1(image)))
        eighth = self.mv2[4](self.mv2[3](self.mv2[2](fourth)))
        sixteenth = self.mv2[5](self.mvit[0](eighth))
        deepest = self.mvit[2](self.mv2[6](self.mvit[1](sixteenth)))
        return self.conv2(deepest), [sixteenth, eighth, fourth]


class _Doubling(nn.Module):
    """Upsample by 2 with a transposed convolution, and concatenate encoder features."""

    def __init__(self, before: int, after: int, joined: int) -> None:
        super().__init__()
        self.conv2d_transpose = nn.ConvTranspose2d(
            before, after, 3, stride=2, padding=1, output_padding=1, bias=False
        )
        self.end_up_layer = nn.Sequential(_Separable(after + joined, after), nn.ReLU())

    def forward(self, x: torch.Tensor, joined: torch.Tensor) -> torch.Tensor:
        return self.end_up_layer(torch.cat([self.conv2d_transpose(x), joined], dim=1))


class _Decoder(nn.Module):
    """Three upsampling steps, then depth at a quarter of the image size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_in = nn.Conv2d(_ENCODED, _DECODER[0][0], 1, bias=False)
        for number, step in enumerate(_DECODER, start=1):
            self.add_module(f'ups_block_{number}', _Doubling(*step))
        self.conv2d_out = nn.Conv2d(_DECODER[-1][1], 1, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor, levels: list[torch.Tensor]) -> torch.Tensor:
        x = self.conv2d_in(x)
        for number, level in enumerate(levels, start=1):
            x = self.get_submodule(f'ups_block_{number}')(x, level)
        return self.conv2d_out(x)


class Meter(nn.Module):
    """METER-XXS, from images (N, 3, H, W) of values 0 to 1 to decimetres (N, 1, H/4, W/4)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Encoder()
        self.decoder = _Decoder()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return raw decimetres, possibly negative; H and W are multiples of 64."""
        return self.decoder(*self.encoder(image))


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file."""

    weights: str  # the published weight file
    size: tuple[int, int] = (192, 640)
    """
    Height and width that the whole image is resized to, multiples of 64. The network was trained
    at 192x636; accuracy drops at much larger sizes.
    """
    agreement: float | None = None  # see WholeFrameDepthTeacher


class MeterTeacher(WholeFrameDepthTeacher):
    """METER-XXS with its published weights."""

    def __init__(self, settings: Settings) -> None:
        require_size(settings.size, _STRIDE, 'METER')
        path = Path(settings.weights)
        super().__init__('meter', file_sha256(path), settings.size, settings.agreement)
        self._network = Meter().eval()
        load_weights(self._network, path, 'METER-XXS')

    def inverse_metres(self, images: torch.Tensor) -> torch.Tensor:
        """Return 1 / metres (N, H/4, W/4) for images (N, 3, H, W) of values 0 to 1."""
        metres = self._network(images)[:, 0] / _UNITS_PER_METRE
        return 1 / metres.clamp(min=_NEAREST)


load = MeterTeacher
