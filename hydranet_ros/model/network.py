# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The network: an encoder, a Light-Weight RefineNet decoder, one head per task.

With the encoder MobileNet-v2, this is the network of Nekrasov et al., Real-Time Joint Semantic
Segmentation and Depth Estimation Using Asymmetric Annotations (2018), arXiv 1809.04766. Parameter
names such as ``layer1``, ``conv8``, ``crp4`` and ``1_outvar_dimred`` are those of the authors'
published checkpoints, so that these checkpoints load unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
import copy
from typing import Literal, TypeAlias

import torch
from torch import nn, Tensor
from torch.nn import functional

from hydranet_ros.model.encoder_layers import encoder_layers
from hydranet_ros.model.encoders import DEFAULT_ENCODER, ENCODERS, STRIDES

IMAGE_MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue in [0, 1] for the normalisation of the input."""
IMAGE_STD = (0.229, 0.224, 0.225)
"""Standard deviation of red, green and blue for the normalisation of the input."""
OUTPUT_STRIDE = 4

Upsampling: TypeAlias = Literal['double', 'fit']
"""
How a coarse level is upsampled to the size of a finer one.

``double`` upsamples by exactly two and crops, so that every cell stays over the pixels it was
computed from. ``fit`` stretches the coarse level to the finer level's size, as in the published
models. The two differ if a side of the image is not a multiple of 32: ``fit`` then shifts coarse
levels towards the bottom right corner, by up to almost one cell (32 pixels).
docs/experiments/training.md reports the effect on accuracy.
"""

TRAINED_UPSAMPLING: Upsampling = 'double'
"""Upsampling of the networks that this package trains."""

DECODER_CHANNELS = 256
HEAD_PREFIX = {'segmentation': 'segm', 'depth': 'depth', 'normals': 'normal'}
"""Maps a task to the name prefix of its head in the published checkpoints."""

# Ubuntu 24.04's torch 2.1 has no is_compiling.
_is_compiling: Callable[[], bool] = getattr(torch.compiler, 'is_compiling', lambda: False)
_POOLINGS_PER_CRP = 4


def normalize(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Turn N x H x W x 3 uint8 RGB into the network's N x 3 x H x W input, channels-last."""
    means, deviations = (
        torch.tensor(values, device=image.device).view(1, 3, 1, 1) for values in (mean, std)
    )
    return (image.permute(0, 3, 1, 2).float() / 255.0 - means) / deviations


def upsample(x: Tensor, finer: Tensor, upsampling: Upsampling) -> Tensor:
    """Upsample N x C x ceil(H/2) x ceil(W/2) maps to the H x W of the next finer level."""
    return _resize(x, (finer.shape[-2], finer.shape[-1]), 2, upsampling, 'bilinear')


def enlarge(raw: Tensor, height: int, width: int, upsampling: Upsampling, mode: str) -> Tensor:
    """
    Upsample raw outputs, N x C x ceil(height/4) x ceil(width/4), to image size.

    ``mode`` is ``bilinear`` or ``bicubic``.
    """
    return _resize(raw, (height, width), OUTPUT_STRIDE, upsampling, mode)


def _resize(
    maps: Tensor, size: tuple[int, int], factor: int, upsampling: Upsampling, mode: str
) -> Tensor:
    if upsampling == 'fit':
        return functional.interpolate(maps, size=size, mode=mode, align_corners=False)
    larger = functional.interpolate(
        maps, scale_factor=float(factor), mode=mode, align_corners=False
    )
    return upper_left(larger, *size)


def upper_left(maps: Tensor, height: int, width: int) -> Tensor:
    """Crop maps to their first ``height`` rows and ``width`` columns."""
    if _is_compiling():
        # If nothing is cropped in the example input, torch.export assumes that nothing is cropped
        # at any size. Padding makes sure that something is cropped.
        maps = functional.pad(maps, (0, 1, 0, 1))
    return maps[..., :height, :width]


def max_pool_5x5(x: Tensor) -> Tensor:
    """
    Return the maximum of each 5x5 neighbourhood, at stride 1.

    Pooling 1x5 and then 5x1 gives the same values with 8 instead of 24 comparisons per pixel.
    """
    rows = functional.max_pool2d(x, (1, 5), stride=1, padding=(0, 2))
    return functional.max_pool2d(rows, (5, 1), stride=1, padding=(2, 0))


class ChainedResidualPooling(nn.Module):
    """Add a chain of 5x5 max-pool and 1x1 convolution pairs to the input (RefineNet)."""

    def __init__(self, channels: int, groups: int = 1) -> None:
        super().__init__()
        for index in range(1, _POOLINGS_PER_CRP + 1):
            convolution = nn.Conv2d(channels, channels, 1, groups=groups, bias=False)
            self.add_module(f'{index}_outvar_dimred', convolution)

    def forward(self, x: Tensor) -> Tensor:
        link = x
        for convolution in self.children():
            link = convolution(max_pool_5x5(link))
            x = x + link
        return x


class HydraNet(nn.Module):
    """
    An encoder and a decoder that are shared by any number of dense tasks.

    ``tasks`` maps task names to numbers of output channels, e.g.
    ``{'segmentation': 6, 'depth': 1}``; ``architecture`` is a key of ``ENCODERS``.
    """

    def __init__(
        self,
        tasks: Mapping[str, int],
        upsampling: Upsampling = 'fit',
        architecture: str = DEFAULT_ENCODER,
    ) -> None:
        super().__init__()
        if not tasks:
            raise ValueError('HydraNet needs at least one task.')
        for name, channels in tasks.items():
            if name not in HEAD_PREFIX:
                raise ValueError(f'Unknown task {name!r}; known are {", ".join(HEAD_PREFIX)}.')
            if channels < 1:
                raise ValueError(f'Task {name!r} needs at least one channel, not {channels}.')
        self.tasks = dict(tasks)
        self.upsampling: Upsampling = upsampling

        self.architecture = architecture
        self.encoder = ENCODERS[architecture]

        for number, layer in enumerate(encoder_layers(self.encoder), start=1):
            self.add_module(f'layer{number}', layer)
        wide = DECODER_CHANNELS
        for stride in reversed(STRIDES):
            for number in reversed(self.encoder.outputs[stride]):
                width = self.encoder.channels(number)
                self.add_module(f'conv{number}', nn.Conv2d(width, wide, 1, bias=False))
        for level in (4, 3, 2, 1):
            groups = wide if level == 1 else 1
            self.add_module(f'crp{level}', nn.Sequential(ChainedResidualPooling(wide, groups)))
        for level in (4, 3, 2):
            self.add_module(f'conv_adapt{level}', nn.Conv2d(wide, wide, 1, bias=False))
        for name, outputs in self.tasks.items():
            prefix = HEAD_PREFIX[name]
            depthwise = nn.Conv2d(wide, wide, 1, groups=wide, bias=False)
            self.add_module(f'pre_{prefix}', depthwise)
            self.add_module(prefix, nn.Conv2d(wide, outputs, 3, padding=1))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """
        Predict every task at a quarter of the input's resolution.

        Parameters
        ----------
        image
            N x 3 x H x W, RGB in [0, 1], normalised by ``IMAGE_MEAN`` and ``IMAGE_STD``; any size
            of at least 32 x 32.

        Returns
        -------
        dict
            Task name to raw output, N x C x ceil(H/4) x ceil(W/4): logits, depth in metres with an
            arbitrary sign, normals of any length.

        """
        features = self.decode(self.encode(image))
        return {task: self.head(task, features) for task in self.tasks}

    def head(self, task: str, features: Tensor, channels: slice | None = None) -> Tensor:
        """
        Map the decoder's features to the raw output of a task.

        ``channels`` selects output channels, e.g. those of one label set; None selects all.
        """
        prefix = HEAD_PREFIX[task]
        x = functional.relu6(self.get_submodule(f'pre_{prefix}')(features))
        convolution = self.get_submodule(prefix)
        if channels is None:
            return convolution(x)
        weight, bias = convolution.get_parameter('weight'), convolution.get_parameter('bias')
        return functional.conv2d(x, weight[channels], bias[channels], padding=1)

    def encode(self, image: Tensor) -> dict[int, Tensor]:
        """Return the features that the decoder uses, by layer number, at strides 4 to 32."""
        taken = {number for numbers in self.encoder.outputs.values() for number in numbers}
        levels = {}
        x = image
        for number in range(1, max(taken) + 1):
            x = self.get_submodule(f'layer{number}')(x)
            if number in taken:
                levels[number] = x
        return levels

    def decode(self, levels: Mapping[int, Tensor]) -> Tensor:
        """Fuse the encoder's levels, coarse to fine, into N x 256 x ceil(H/4) x ceil(W/4)."""
        return self._refine(1, self._lateral(4, levels), self.decode_coarse(levels))

    def decode_coarse(self, levels: Mapping[int, Tensor]) -> Tensor:
        """Fuse strides 8 to 32 into the output of CRP2, N x 256 x ceil(H/8) x ceil(W/8)."""
        x = self.get_submodule('crp4')(functional.relu6(self._lateral(32, levels)))
        x = self._refine(3, self._lateral(16, levels), x)
        return self._refine(2, self._lateral(8, levels), x)

    def _lateral(self, stride: int, levels: Mapping[int, Tensor]) -> Tensor:
        """Map all features of a stride to the decoder's channels, and add them up."""
        first, *others = (
            self.get_submodule(f'conv{number}')(levels[number])
            for number in self.encoder.outputs[stride]
        )
        for other in others:
            first = first + other
        return first

    def _refine(self, level: int, lateral: Tensor, coarser: Tensor) -> Tensor:
        """Add the upsampled features of the coarser level to those of this level, and pool."""
        adapted = self.get_submodule(f'conv_adapt{level + 1}')(coarser)
        enlarged = upsample(adapted, lateral, self.upsampling)
        return self.get_submodule(f'crp{level}')(functional.relu6(lateral + enlarged))

    def encoder_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters of the encoder."""
        for name, parameter in self.named_parameters():
            if name.startswith('layer'):
                yield parameter

    def decoder_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters of the decoder and the heads."""
        for name, parameter in self.named_parameters():
            if not name.startswith('layer'):
                yield parameter


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def count_macs(network: nn.Module, height: int, width: int) -> int:
    """
    Count the multiply-accumulates of the convolutions for one image.

    The published "GFLOPs" of this network are multiply-accumulates. The network is run once on the
    meta device, which computes shapes only.
    """
    total = 0

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += output.numel() * module.weight[0].numel()

    shapes_only = copy.deepcopy(network).to('meta').eval()
    for module in shapes_only.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    shapes_only(torch.empty(1, 3, height, width, device='meta'))
    return total
