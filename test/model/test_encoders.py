# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Every encoder gives the decoder features at the same strides."""

import pytest
import torch

from hydranet_ros.model.encoders import ENCODERS, STRIDES
from hydranet_ros.model.network import count_parameters, HydraNet


@pytest.mark.parametrize('architecture', ENCODERS)
@pytest.mark.parametrize(('height', 'width'), [(32, 32), (33, 97)])
@torch.inference_mode()
def test_features_have_their_strides_and_channels(architecture, height, width):
    network = HydraNet({'segmentation': 3, 'depth': 1}, architecture=architecture).eval()
    image = torch.zeros(1, 3, height, width)
    levels = network.encode(image)
    assert list(network.encoder.outputs) == list(STRIDES)
    for stride, numbers in network.encoder.outputs.items():
        for number in numbers:
            channels = network.encoder.channels(number)
            expected = (1, channels, -(-height // stride), -(-width // stride))
            assert tuple(levels[number].shape) == expected
    outputs = network(image)
    assert {task: tuple(output.shape) for task, output in outputs.items()} == {
        'segmentation': (1, 3, -(-height // 4), -(-width // 4)),
        'depth': (1, 1, -(-height // 4), -(-width // 4)),
    }


@pytest.mark.parametrize(
    ('architecture', 'parameters'),
    [
        ('mobilenetv2', 1_812_800),
        # The files in the PyPI packages have 4,652,008 and 6,092,072 including the classifier.
        ('efficientnet_lite0', 4_652_008 - 320 * 1280 - 2 * 1280 - 1281 * 1000),
        ('efficientnet_lite2', 6_092_072 - 352 * 1280 - 2 * 1280 - 1281 * 1000),
    ],
)
def test_parameter_counts(architecture, parameters):
    network = HydraNet({'depth': 1}, architecture=architecture)
    assert sum(each.numel() for each in network.encoder_parameters()) == parameters
    assert count_parameters(network) > parameters


@torch.inference_mode()
def test_a_cell_looks_at_the_same_pixels_whatever_the_size():
    """The padding of EfficientNet-Lite must not move the features where a side is odd."""
    network = HydraNet({'depth': 1}, architecture='efficientnet_lite0').eval()
    image = torch.randn(1, 3, 96, 128)
    whole, part = (network.encode(x)[3] for x in (image, image[..., :95, :127]))
    torch.testing.assert_close(whole[..., :20, :28], part[..., :20, :28])
