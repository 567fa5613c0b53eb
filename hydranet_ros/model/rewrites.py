# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Rewrites of the network for deployment: the same function, computed faster.

Tests check that results are equal up to float32 rounding; docs/experiments/performance.md has the
speed-ups.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn, Tensor
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hydranet_ros.model.network import (
    DECODER_CHANNELS,
    HEAD_PREFIX,
    HydraNet,
    max_pool_5x5,
    OUTPUT_STRIDE,
    upper_left,
    upsample,
    Upsampling,
)

_TAPS = 9
_TAPS_LIMIT = 64
"""Heads with at most this number of tap maps use :func:`convolution_by_taps`."""


def fold_batch_norm(module: nn.Module) -> None:
    """Merge every batch norm into the convolution before it, in place; for evaluation only."""
    for child in module.children():
        fold_batch_norm(child)
    if not isinstance(module, nn.Sequential):
        return
    for index in range(len(module) - 1):
        convolution, norm = module[index], module[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[index] = fuse_conv_bn_eval(convolution, norm)
            module[index + 1] = nn.Identity()


def keep_channels(network: HydraNet, start: int, stop: int) -> None:
    """Remove the segmentation logits outside a slice, in place."""
    head = _convolution(network, HEAD_PREFIX['segmentation'])
    kept = nn.Conv2d(head.in_channels, stop - start, 3, padding=1)
    assert head.bias is not None and kept.bias is not None
    with torch.no_grad():
        kept.weight.copy_(head.weight[start:stop])
        kept.bias.copy_(head.bias[start:stop])
    setattr(network, HEAD_PREFIX['segmentation'], kept)


def enlarge_by_matrices(
    x: Tensor, height: int, width: int, upsampling: Upsampling, mode: str
) -> Tensor:
    """
    Compute :func:`hydranet_ros.model.network.enlarge` with two matrix products.

    Interpolation is linear and separable, so one small matrix holds the weights of the rows and
    another those of the columns. Runtimes multiply matrices far faster than they interpolate few
    channels, and the result has the best memory layout for the argmax over channels.
    """
    rows = _interpolation_matrix(x, x.shape[2], height, upsampling, mode)
    columns = _interpolation_matrix(x, x.shape[3], width, upsampling, mode)
    return torch.matmul(rows, torch.matmul(x, columns.transpose(0, 1)))


def _interpolation_matrix(
    like: Tensor, size: int, new_size: int, upsampling: Upsampling, mode: str
) -> Tensor:
    """Return the new_size x size matrix of weights, which is constant if both sizes are fixed."""
    identity = torch.eye(size, dtype=like.dtype, device=like.device)[None, None]
    rows = new_size if upsampling == 'fit' else OUTPUT_STRIDE * size
    weights = functional.interpolate(identity, size=(rows, size), mode=mode, align_corners=False)
    return upper_left(weights[0, 0], new_size, size)


def convolution_by_taps(convolution: nn.Conv2d) -> nn.Conv2d:
    """
    Turn a 3x3 convolution into a 1x1 convolution that outputs the nine taps as channels.

    Runtimes pad the output channels of a convolution to the width of a vector register, e.g. 16.
    A head with one output channel wastes 15 of 16; with nine taps, it wastes less than half.
    :func:`shift_and_add` turns the taps into the result, except for the bias.
    """
    channels_out, channels_in = convolution.weight.shape[:2]
    taps = nn.Conv2d(channels_in, _TAPS * channels_out, 1, bias=False)
    weight = convolution.weight.detach().permute(2, 3, 0, 1)
    taps.weight = nn.Parameter(weight.reshape(-1, channels_in, 1, 1).clone())
    return taps


def shift_and_add(taps: Tensor) -> Tensor:
    """Shift the maps of nine taps, N x 9 C x H x W, into place and sum them to N x C x H x W."""
    height, width = taps.shape[-2:]
    channels = taps.shape[1] // _TAPS
    # The 3x3 convolution pads its input with zeros. Padding the output of the 1x1 is the same,
    # because the 1x1 has no bias and maps zeros to zeros.
    padded = functional.pad(taps, (1, 1, 1, 1))
    shifted = []
    for tap in range(_TAPS):
        row, column = divmod(tap, 3)
        own = slice(tap * channels, (tap + 1) * channels)
        rows, columns = slice(row, row + height), slice(column, column + width)
        shifted.append(padded[:, own, rows, columns])
    return _sum(shifted)


class FinestSlice(nn.Module):
    """
    The decoder's finest level, from its inputs to the heads, for a slice of its channels.

    At this level, upsampling, pooling and depthwise 1x1 convolutions act on each channel
    separately; only the heads combine channels, by a sum. So the level can be computed slice by
    slice, and the maps of a slice, which pooling reads repeatedly, fit into the processor's cache.
    A depthwise 1x1 convolution becomes a multiplication by one number per channel.
    """

    def __init__(self, network: HydraNet, channels: slice, tapwise: frozenset[str]) -> None:
        super().__init__()
        self._upsampling = network.upsampling
        self.lateral = _keep_outputs(_convolution(network, f'conv{_finest(network)}'), channels)
        self.adapt = _keep_outputs(_convolution(network, 'conv_adapt2'), channels)
        links = network.get_submodule('crp1').modules()
        self.links = nn.ParameterList(
            _scale(link, channels) for link in links if isinstance(link, nn.Conv2d)
        )
        self.scales, self.heads = nn.ParameterDict(), nn.ModuleDict()
        for name in network.tasks:
            prefix = HEAD_PREFIX[name]
            self.scales[name] = _scale(_convolution(network, f'pre_{prefix}'), channels)
            head = _keep_inputs(_convolution(network, prefix), channels)
            self.heads[name] = convolution_by_taps(head) if name in tapwise else head

    def forward(self, fine: Tensor, coarse: Tensor) -> dict[str, Tensor]:
        """
        Return this slice's contribution to each head.

        Parameters
        ----------
        fine
            The encoder's features of stride 4: N x C x H x W.
        coarse
            Output of CRP2: N x 256 x ceil(H/2) x ceil(W/2).

        """
        lateral = self.lateral(fine)
        upsampled = upsample(self.adapt(coarse), lateral, self._upsampling)
        link = functional.relu6(lateral + upsampled)
        chain = [link]
        for scale in self.links:
            link = max_pool_5x5(link) * scale
            chain.append(link)
        x = _sum(chain)
        return {
            name: head(functional.relu6(x * self.scales[name]))
            for name, head in self.heads.items()
        }


class RewrittenNetwork(nn.Module):
    """
    The network with every rewrite applied; same input, same outputs.

    Parameters
    ----------
    network
        A network in evaluation mode; it is modified and must not be used afterwards.
    slices
        Number of slices in which the finest level is computed: 1 for a GPU, which prefers few
        large operations, 4 for a processor with a few megabytes of cache.

    """

    def __init__(self, network: HydraNet, slices: int = 4) -> None:
        super().__init__()
        if slices < 1 or DECODER_CHANNELS % slices:
            raise ValueError(f'{slices} slices do not divide {DECODER_CHANNELS} channels.')
        fold_batch_norm(network)
        self._tapwise = frozenset(
            name for name, channels in network.tasks.items() if _TAPS * channels <= _TAPS_LIMIT
        )
        width = DECODER_CHANNELS // slices
        self.finest = nn.ModuleList(
            FinestSlice(network, slice(start, start + width), self._tapwise)
            for start in range(0, DECODER_CHANNELS, width)
        )
        self.biases = nn.ParameterDict()
        for name in network.tasks:
            bias = _convolution(network, HEAD_PREFIX[name]).bias
            assert bias is not None
            self.biases[name] = bias.detach().view(1, -1, 1, 1)
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """See :meth:`hydranet_ros.model.network.HydraNet.forward`."""
        levels = self.network.encode(image)
        coarse = self.network.decode_coarse(levels)
        shares = [part(levels[_finest(self.network)], coarse) for part in self.finest]
        outputs = {}
        for name, bias in self.biases.items():
            total = _sum([share[name] for share in shares])
            outputs[name] = (shift_and_add(total) if name in self._tapwise else total) + bias
        return outputs


def _finest(network: HydraNet) -> int:
    """Return the number of the layer that gives the features of stride 4."""
    (number,) = network.encoder.outputs[OUTPUT_STRIDE]
    return number


def _convolution(network: HydraNet, name: str) -> nn.Conv2d:
    module = network.get_submodule(name)
    assert isinstance(module, nn.Conv2d)
    return module


def _scale(depthwise: nn.Conv2d, channels: slice) -> nn.Parameter:
    """Return the weights of a depthwise 1x1 convolution as one factor per channel."""
    return nn.Parameter(depthwise.weight.detach()[channels].clone().view(1, -1, 1, 1))


def _keep_outputs(convolution: nn.Conv2d, channels: slice) -> nn.Conv2d:
    """Return a 1x1 convolution with only these output channels."""
    weight = convolution.weight.detach()[channels]
    kept = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False)
    kept.weight = nn.Parameter(weight.clone())
    return kept


def _keep_inputs(convolution: nn.Conv2d, channels: slice) -> nn.Conv2d:
    """Return a 3x3 convolution with only these input channels, without bias."""
    weight = convolution.weight.detach()[:, channels]
    kept = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1, bias=False)
    kept.weight = nn.Parameter(weight.clone())
    return kept


def _sum(terms: Sequence[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
