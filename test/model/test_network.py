# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The network is the published one."""

import json

from checkout import CHECKOUT
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from published import published_weights
import pytest
import torch
from torch.nn import functional

from hydranet_ros.model.network import (
    count_macs,
    count_parameters,
    HydraNet,
    max_pool_5x5,
    upsample,
)
from hydranet_ros.training.optimization import freeze_batch_norm

DATA = CHECKOUT / 'test' / 'data'
THREE_TASKS = {'depth': 1, 'segmentation': 40, 'normals': 3}


def test_state_dict_has_the_published_keys_and_shapes():
    published = json.loads((DATA / 'published_keys_nyud40_three_tasks.json').read_text())
    state = HydraNet(THREE_TASKS).state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == published


@pytest.mark.parametrize(('dtype', 'bound'), [(torch.float64, 1e-4), (torch.float32, 3e-4)])
def test_outputs_are_those_of_the_published_architecture(dtype, bound):
    # The golden outputs were computed in float32. With random weights and max-pooling, rounding
    # changes them by 6e-5 of their norm, and on some processors our outputs by as much. float64
    # shows that the networks are equal, float32 that they differ by rounding only.
    network = HydraNet(THREE_TASKS).eval()
    weights = published_weights(THREE_TASKS)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    with np.load(DATA / 'golden_nyud40_three_tasks.npz') as golden, torch.inference_mode():
        outputs = network.to(dtype)(torch.from_numpy(golden['image']).to(dtype))
        for task, channel_step in (('segmentation', 5), ('depth', 1), ('normals', 1)):
            expected = golden[task]
            found = outputs[task][:, ::channel_step, ::2, ::2].numpy()
            assert found.shape == expected.shape
            assert np.linalg.norm(found - expected) <= bound * np.linalg.norm(expected), task


@pytest.mark.parametrize(
    ('tasks', 'parameters'),
    [
        ({'segmentation': 6, 'depth': 1}, 2_991_687),
        ({'segmentation': 40, 'depth': 1, 'normals': 3}, 3_077_228),
    ],
)
def test_parameter_counts_are_the_published_ones(tasks, parameters):
    assert count_parameters(HydraNet(tasks)) == parameters


def test_operations_come_near_the_published_figure():
    # The paper says 6.45 G; it does not say what it counts besides convolutions.
    macs = count_macs(HydraNet({'segmentation': 6, 'depth': 1}), 350, 1200)
    assert macs == pytest.approx(6.45e9, rel=0.06)


@pytest.mark.parametrize('tasks', [{'depth': 1}, {'segmentation': 3}, {'normals': 3, 'depth': 1}])
@pytest.mark.parametrize(('height', 'width'), [(32, 32), (33, 97), (50, 63)])
def test_any_tasks_and_any_size(tasks, height, width):
    with torch.inference_mode():
        outputs = HydraNet(tasks).eval()(torch.zeros(2, 3, height, width))
    assert {task: tuple(tensor.shape) for task, tensor in outputs.items()} == {
        task: (2, channels, -(-height // 4), -(-width // 4)) for task, channels in tasks.items()
    }


@given(st.integers(5, 40), st.integers(5, 40))
@settings(deadline=None, max_examples=50)
def test_doubled_cells_stay_over_their_pixels(height, width):
    """Doubling a map of cell positions gives the positions of the finer level's cells."""
    rows, columns = (2 * torch.arange(-(-side // 2)) + 1.0 for side in (height, width))
    coarse = torch.stack(torch.meshgrid(rows, columns, indexing='ij'))[None]
    finer = torch.zeros(1, 1, height, width)
    doubled = upsample(coarse, finer, 'double')
    assert doubled.shape[-2:] == (height, width)
    rows, columns = (torch.arange(side) + 0.5 for side in (height, width))
    expected = torch.stack(torch.meshgrid(rows, columns, indexing='ij'))[None]
    # The border cannot be interpolated.
    inside = (..., slice(1, height - 1), slice(1, width - 1))
    torch.testing.assert_close(doubled[inside], expected[inside], rtol=0, atol=1e-5)
    fitted = upsample(coarse, finer, 'fit')[inside]
    even = height % 2 == 0 and width % 2 == 0
    assert torch.allclose(fitted, expected[inside], atol=1e-5) == even


@pytest.mark.parametrize('upsampling', ['double', 'fit'])
@pytest.mark.parametrize(('height', 'width'), [(64, 96), (33, 97)])
def test_upsampling_matters_for_sizes_that_are_no_multiples(upsampling, height, width):
    torch.manual_seed(0)
    image = torch.randn(1, 3, height, width)
    published = HydraNet({'depth': 1}).eval()
    other = HydraNet({'depth': 1}, upsampling).eval()
    other.load_state_dict(published.state_dict())
    with torch.inference_mode():
        same = torch.equal(published(image)['depth'], other(image)['depth'])
    assert same == (upsampling == 'fit' or height % 32 == width % 32 == 0)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_separable_pooling_is_exact(height, width, seed):
    x = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(max_pool_5x5(x), functional.max_pool2d(x, 5, stride=1, padding=2))


def test_frozen_batch_norm_in_training_gives_the_same_outputs_and_gradients():
    torch.manual_seed(0)
    network = HydraNet({'segmentation': 2, 'depth': 1}).double()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.normal_(module.weight, 1.0, 0.1)
    image = torch.randn(2, 3, 33, 65, dtype=torch.float64)
    found = []
    for mode in (False, True):
        network.train(mode)
        freeze_batch_norm(network)
        network.zero_grad()
        outputs = network(image)
        torch.stack([output.square().mean() for output in outputs.values()]).sum().backward()
        found.append((outputs, [parameter.grad.clone() for parameter in network.parameters()]))
    torch.testing.assert_close(found[0], found[1])


def test_encoder_and_decoder_share_out_all_parameters():
    network = HydraNet({'segmentation': 6, 'depth': 1})
    encoder = {id(p) for p in network.encoder_parameters()}
    decoder = {id(p) for p in network.decoder_parameters()}
    assert not encoder & decoder
    assert encoder | decoder == {id(p) for p in network.parameters()}


@pytest.mark.parametrize('tasks', [{}, {'flow': 2}, {'depth': 0}])
def test_impossible_tasks_are_refused(tasks):
    with pytest.raises(ValueError, match=r'task|channel'):
        HydraNet(tasks)


def test_some_channels_of_a_head_are_those_of_the_whole():
    network = HydraNet({'segmentation': 7, 'depth': 1}).eval()
    with torch.inference_mode():
        features = network.decode(network.encode(torch.randn(2, 3, 40, 56)))
        whole = network.head('segmentation', features)
        some = network.head('segmentation', features[1:], slice(2, 5))
    torch.testing.assert_close(some, whole[1:, 2:5])
