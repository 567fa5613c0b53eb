# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Each rewrite computes the same function as the original."""

from hypothesis import given, settings
from hypothesis import strategies as st
from published import published_bundle
import pytest
import torch

from hydranet_ros.model import network
from hydranet_ros.model.network import DECODER_CHANNELS
from hydranet_ros.model.rewrites import (
    convolution_by_taps,
    enlarge_by_matrices,
    fold_batch_norm,
    keep_channels,
    RewrittenNetwork,
    shift_and_add,
)

SIDES = st.integers(1, 20)
SEEDS = st.integers(0, 2**31)


def _random(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(
    st.sampled_from(['bilinear', 'bicubic']),
    st.sampled_from(['double', 'fit']),
    SEEDS,
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
@settings(deadline=None, max_examples=100)
def test_enlarging_by_matrices_is_interpolation(mode, upsampling, seed, size):
    x = _random(seed, 1, 3, *(-(-side // 4) for side in size))
    expected = network.enlarge(x, *size, upsampling, mode)
    found = enlarge_by_matrices(x, *size, upsampling, mode)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


@given(SEEDS, SIDES, SIDES, st.integers(1, 9), st.integers(1, 7))
@settings(deadline=None, max_examples=60)
def test_a_convolution_by_taps_is_that_convolution(seed, height, width, inputs, outputs):
    convolution = torch.nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(_random(seed, outputs, inputs, 3, 3))
        x = _random(seed + 1, 1, inputs, height, width)
        taps = convolution_by_taps(convolution)(x)
        torch.testing.assert_close(shift_and_add(taps), convolution(x), rtol=1e-4, atol=1e-4)


@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_a_folded_batch_norm_is_that_batch_norm(seed):
    block = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, bias=False), torch.nn.BatchNorm2d(5))
    norm = block[1]
    with torch.no_grad():
        norm.running_mean.copy_(_random(seed, 5))
        norm.running_var.copy_(_random(seed + 1, 5).abs() + 0.1)
        norm.weight.copy_(_random(seed + 2, 5))
        norm.bias.copy_(_random(seed + 3, 5))
        x = _random(seed + 4, 1, 3, 8, 8)
        expected = block.eval()(x)
        fold_batch_norm(block)
        assert not [m for m in block if isinstance(m, torch.nn.BatchNorm2d)]
        torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('slices', [1, 4])
@pytest.mark.parametrize(
    ('variant', 'architecture', 'height', 'width'),
    [
        ('kitti6', 'mobilenetv2', 33, 97),
        ('nyud40', 'mobilenetv2', 64, 70),
        ('kitti6', 'efficientnet_lite0', 33, 70),
    ],
)
@torch.no_grad()
def test_the_rewritten_network_is_the_network(variant, architecture, height, width, slices):
    """In float64, because untrained weights amplify float32 rounding."""
    bundle = published_bundle(variant, architecture=architecture)
    x = _random(0, 1, 3, height, width).double()
    expected = bundle.network().double()(x)
    found = RewrittenNetwork(bundle.network().double(), slices)(x)
    assert found.keys() == expected.keys()
    for name, output in expected.items():
        torch.testing.assert_close(found[name], output, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_dropped_logits_leave_the_others_as_they_are():
    bundle = published_bundle('nyud40_kitti6')
    x = _random(0, 1, 3, 33, 64)
    expected = bundle.network()(x)['segmentation'][:, 40:46]
    network = bundle.network()
    keep_channels(network, 40, 46)
    found = network(x)['segmentation']
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


@pytest.mark.parametrize('slices', [0, 3, DECODER_CHANNELS + 1])
def test_slices_must_divide_the_channels(slices):
    with pytest.raises(ValueError, match='slices'):
        RewrittenNetwork(published_bundle('kitti6').network(), slices)
