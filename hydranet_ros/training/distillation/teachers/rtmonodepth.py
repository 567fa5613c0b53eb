# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
RT-MonoDepth-S (Feng et al. 2023), a small network for street depth, as a teacher.

It was trained on KITTI with stereo pairs, and predicts metres for KITTI's cameras. The network is
implemented here from its description; only its published weights are loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
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

_ENCODER_CHANNELS = (64, 64, 128, 192)
_DECODER_CHANNELS = (96, 64, 32, 16)
_BASELINE = 5.4
_NEAREST, _FARTHEST = 0.1, 100.0


class Encoder(nn.Module):
    """A 7x7 convolution and three pairs of 3x3 convolutions; the output has stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, _ENCODER_CHANNELS[0], 7, stride=2, padding=3, bias=False)
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.LeakyReLU(0.1),
                nn.Conv2d(after, after, 3, padding=1),
                nn.LeakyReLU(0.1),
            )
            for before, after in pairwise(_ENCODER_CHANNELS)
        )

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Return features (N, 192, H/16, W/16) of an image (N, 3, H, W) of values 0 to 1."""
        features = functional.relu(self.conv1((rgb - 0.45) / 0.225))
        for stage in self.convs:
            features = stage(features)
        return features


class _Convolution(nn.Module):
    """A 3x3 convolution with reflected borders and ELU, named as in the weight file."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1, padding_mode='reflect')

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return functional.elu(self.conv(features))


class _Disparity(nn.Module):
    """A 3x3 convolution to one channel with a sigmoid, named as in the weight file."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.conv3 = nn.Conv2d(before, 1, 3, padding=1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.conv3(features))


class Decoder(nn.Module):
    """
    Four steps of convolution, upsampling by 2 and convolution.

    The published file has two further outputs, at half and a quarter of the size, for training.
    They are loaded, so that the whole file is checked, but not used.
    """

    def __init__(self) -> None:
        super().__init__()
        before = (_ENCODER_CHANNELS[-1], *_DECODER_CHANNELS)
        steps: list[nn.Module] = []
        for entering, leaving in zip(before, _DECODER_CHANNELS, strict=False):
            steps += [_Convolution(entering, leaving), _Convolution(leaving, leaving)]
        outputs = [_Disparity(channels) for channels in reversed(_DECODER_CHANNELS[1:])]
        self.decoder = nn.ModuleList([*steps, *outputs])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return scaled disparity (N, 1, H, W), 0 to 1."""
        for step in range(len(_DECODER_CHANNELS)):
            features = self.decoder[2 * step](features)
            features = functional.interpolate(features, scale_factor=2.0, mode='nearest')
            features = self.decoder[2 * step + 1](features)
        return self.decoder[2 * len(_DECODER_CHANNELS)](features)


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file."""

    encoder: str  # published weight file of the encoder
    decoder: str  # published weight file of the decoder
    size: tuple[int, int] = (192, 640)
    """Height and width that the whole image is resized to, multiples of 16."""
    agreement: float | None = None  # see WholeFrameDepthTeacher


class RTMonoDepthTeacher(WholeFrameDepthTeacher):
    """RT-MonoDepth-S with its published weights."""

    def __init__(self, settings: Settings) -> None:
        require_size(settings.size, 16, 'RT-MonoDepth-S')
        files = {'encoder': Path(settings.encoder), 'decoder': Path(settings.decoder)}
        hashes = {part: file_sha256(path) for part, path in files.items()}
        super().__init__('rtmonodepth', hashes, settings.size, settings.agreement)
        encoder, decoder = Encoder(), Decoder()
        load_weights(encoder, files['encoder'], 'RT-MonoDepth-S')
        load_weights(decoder, files['decoder'], 'RT-MonoDepth-S')
        self._network = nn.Sequential(encoder, decoder).eval()

    def inverse_metres(self, images: torch.Tensor) -> torch.Tensor:
        """Return 1 / metres (N, H, W) for images (N, 3, H, W) of values 0 to 1."""
        low, high = 1 / _FARTHEST, 1 / _NEAREST
        disparity = self._network(images)[:, 0]
        return (low + (high - low) * disparity) / _BASELINE


load = RTMonoDepthTeacher
