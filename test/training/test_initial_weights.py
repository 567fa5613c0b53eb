# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the encoder's start from ImageNet weights, by the agreement of features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from checkout import CHECKOUT
import numpy as np
import pytest
import torch
from torch import nn, Tensor
from training_data import small_recipe, write_streets

from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, save_bundle
from hydranet_ros.model.encoders import Stage
from hydranet_ros.model.network import HydraNet, TRAINED_UPSAMPLING
from hydranet_ros.training.bundle_metadata import (
    describe_training,
    inherited_license,
    metadata_of,
    starting_model,
)
from hydranet_ros.training.initial_weights import initialize, start_network, typical_depth
from hydranet_ros.training.recipe import Ingredient, Recipe

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
)
LAST_STAGE = (6, 320, 1, 1)
Network = TypeVar('Network', bound=nn.Module)


class _Block(nn.Module):
    def __init__(self, width_in: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = width_in * expansion
        parts: list[nn.Module] = []
        if expansion != 1:
            parts += [nn.Conv2d(width_in, hidden, 1, bias=False)]
            parts += [nn.BatchNorm2d(hidden), nn.ReLU6()]
        parts += [nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)]
        parts += [nn.BatchNorm2d(hidden), nn.ReLU6()]
        parts += [nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width)]
        self.conv = nn.Sequential(*parts)
        self.residual = stride == 1 and width_in == width

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNet-v2 with the names of torchvision, as such files hold it."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6())
        parts: list[nn.Module] = [stem]
        self.ends = []
        width = 32
        for expansion, channels, repeats, stride in (*STAGES, LAST_STAGE):
            for repeat in range(repeats):
                parts.append(_Block(width, channels, expansion, stride if repeat == 0 else 1))
                width = channels
            self.ends.append(len(parts) - 1)
        parts.append(nn.Sequential(nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280)))
        self.features = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of the seven stages."""
        outputs = []
        for number, part in enumerate(self.features[:18]):
            x = part(x)
            if number in self.ends:
                outputs.append(x)
        return outputs


def with_uncommon_weights(network: Network) -> Network:
    """Give a network weights and statistics that are nobody's default."""
    torch.manual_seed(5)
    network.eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.2)
                module.running_mean.normal_(0, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return network


@torch.inference_mode()
def test_features_agree_with_the_network_of_the_file(tmp_path: Path) -> None:
    """All stages give what MobileNet-v2 gives, though ours has one expansion more."""
    teacher = with_uncommon_weights(MobileNetV2())
    path = tmp_path / 'mobilenet.pt'
    torch.save(teacher.state_dict(), path)
    network = HydraNet({'depth': 1}).eval()
    initialize(network, path)
    image = torch.randn(2, 3, 65, 97)
    expected = teacher(image)[1:]
    found = list(network.encode(image).values())
    assert len(found) == len(expected) == 6
    for ours, theirs in zip(found, expected, strict=True):
        scale = theirs.abs().max()
        assert (ours - theirs).abs().max() < 1e-4 * scale


class _Same(nn.Conv2d):
    """A convolution with TensorFlow's padding: more at the end where the size is even."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        needed = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
        (top, left), (bottom, right) = [n // 2 for n in needed], [-(-n // 2) for n in needed]
        x = nn.functional.pad(x, (left, right, top, bottom))
        return nn.functional.conv2d(x, self.weight, None, self.stride, groups=self.groups)


class _LiteBlock(nn.Module):
    def __init__(self, width_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = width_in * stage.expansion
        self.residual = stride == 1 and width_in == stage.channels
        if stage.expansion > 1:
            self._expand_conv = _Same(width_in, hidden, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(hidden, eps=1e-3)
        self._depthwise_conv = _Same(
            hidden, hidden, stage.kernel, stride, groups=hidden, bias=False
        )
        self._bn1 = nn.BatchNorm2d(hidden, eps=1e-3)
        self._project_conv = _Same(hidden, stage.channels, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(stage.channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        if hasattr(self, '_bn0'):
            inner = self._bn0(self._expand_conv(x)).clamp(0, 6)
        inner = self._bn1(self._depthwise_conv(inner)).clamp(0, 6)
        inner = self._bn2(self._project_conv(inner))
        return x + inner if self.residual else inner


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite with the names of efficientnet-lite-pytorch, as such files hold it."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        self._conv_stem = _Same(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, self.ends, width = [], [], 32
        for stage in stages:
            for repeat in range(stage.repeats):
                blocks.append(_LiteBlock(width, stage, stage.stride if repeat == 0 else 1))
                width = stage.channels
            self.ends.append(len(blocks) - 1)
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _Same(width, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 5)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of the stages."""
        x = self._bn0(self._conv_stem(x)).clamp(0, 6)
        outputs = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self.ends:
                outputs.append(x)
        return outputs


@pytest.mark.parametrize('architecture', ['efficientnet_lite0', 'efficientnet_lite2'])
@torch.inference_mode()
def test_features_agree_with_efficientnet_lite(tmp_path: Path, architecture: str) -> None:
    """Compared once with the package itself: equal to the bit, with its weights, at 256x256."""
    network = HydraNet({'depth': 1}, architecture=architecture).eval()
    teacher = with_uncommon_weights(EfficientNetLite(network.encoder.stages))
    path = tmp_path / 'efficientnet.pth'
    torch.save(teacher.state_dict(), path)
    loaded = initialize(network, path).keys
    assert loaded == {key for key in network.state_dict() if key.startswith('layer')} - {
        key for key in network.state_dict() if key.endswith('num_batches_tracked')
    }
    image = torch.randn(1, 3, 64, 96)
    expected = teacher(image)
    found = network.encode(image)
    assert list(found) == [3, 4, 6, 8]
    for number, features in found.items():
        torch.testing.assert_close(features, expected[number - 2], rtol=1e-4, atol=1e-4)


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    """Missing, damaged, or of another network: one sentence that names the file."""
    network = HydraNet({'depth': 1})
    with pytest.raises(HydranetError, match=r'none\.pt'):
        initialize(network, tmp_path / 'none.pt')
    damaged = tmp_path / 'damaged.pt'
    damaged.write_bytes(b'no torch file')
    with pytest.raises(HydranetError, match=r'damaged\.pt'):
        initialize(network, damaged)
    state = MobileNetV2().state_dict()
    short = tmp_path / 'short.pt'
    torch.save({k: v for k, v in state.items() if not k.startswith('features.17')}, short)
    with pytest.raises(HydranetError, match=r'short\.pt has \d+ tensors'):
        initialize(network, short)
    state['features.3.conv.0.weight'] = torch.zeros(7, 24, 1, 1)
    wide = tmp_path / 'wide.pt'
    torch.save(state, wide)
    with pytest.raises(HydranetError, match=r'features\.3\.conv\.0\.weight'):
        initialize(network, wide)
    with pytest.raises(HydranetError, match='give the weights of EfficientNet-Lite0'):
        initialize(HydraNet({'depth': 1}, architecture='efficientnet_lite0'), wide)


def test_training_can_start_from_a_model_of_other_heads(tmp_path: Path) -> None:
    """From a bundle, all that fits is taken and the rest stays as it was."""
    recipe = Recipe(
        'source', ('segmentation',), (Ingredient('x'),), steps=1, label_sets=('kitti6',)
    )
    source = HydraNet(recipe.channels(), TRAINED_UPSAMPLING)
    path = tmp_path / 'source.safetensors'
    save_bundle(path, Bundle.from_network(metadata_of(recipe), source), dtype='float32')
    target = HydraNet({'segmentation': 11, 'depth': 1})
    head = target.get_submodule('segm').weight.clone()
    initialize(target, path)
    ours, theirs = target.state_dict(), source.state_dict()
    for key in ('crp1.0.1_outvar_dimred.weight', 'layer5.1.output.0.0.weight', 'conv8.weight'):
        assert torch.equal(ours[key], theirs[key])
    assert torch.equal(ours['segm.weight'], head)
    other = HydraNet({'depth': 1}, architecture='efficientnet_lite0')
    with pytest.raises(HydranetError, match='has the encoder mobilenetv2'):
        initialize(other, path)


def test_the_classes_of_each_label_set_are_kept(tmp_path: Path) -> None:
    """Label sets may be added, removed, in another order, and be named by the path of a file."""
    recipe = Recipe(
        'source', ('segmentation',), (Ingredient('x'),), steps=1, label_sets=('kitti6', 'camvid11')
    )
    source, _ = start_network(recipe, 1.0)
    path = tmp_path / 'source.safetensors'
    save_bundle(path, Bundle.from_network(metadata_of(recipe), source), dtype='float32')
    own = tmp_path / 'own.yaml'
    own.write_text((CHECKOUT / 'config' / 'labels' / 'camvid11.yaml').read_text())
    label_sets = ('nyud40', str(own), 'kitti6')
    target = HydraNet({'segmentation': 57, 'depth': 1}, TRAINED_UPSAMPLING)
    before = target.get_submodule('segm').weight.clone()
    account = initialize(target, path, label_sets).account
    for part in ('weight', 'bias'):
        given, kept = (getattr(n.get_submodule('segm'), part) for n in (source, target))
        assert torch.equal(kept[40:51], given[6:17]) and torch.equal(kept[51:], given[:6])
    assert torch.equal(target.get_submodule('segm').weight[:40], before[:40])
    assert f'classes of {own}, kitti6 are from {path}' in account
    assert account.endswith('new: the classes of nyud40, depth.')


def test_a_start_from_a_model_keeps_its_depth_and_is_told(tmp_path: Path) -> None:
    """The depth that a model has learned is not set back, and its provenance is handed on."""
    recipe = Recipe('first', ('depth',), (Ingredient('x'),), steps=1)
    network, _ = start_network(recipe, 9.0)
    assert network.get_submodule('depth').bias.item() == 9.0
    torch.nn.init.constant_(network.get_submodule('depth').bias, 4.0)
    path = tmp_path / 'first.safetensors'
    metadata = metadata_of(recipe, {'steps_done': 1})
    save_bundle(path, Bundle.from_network(metadata, network))
    second = replace(recipe, name='second', encoder=str(path))
    assert start_network(second, 9.0)[0].get_submodule('depth').bias.item() == 4.0
    typed = [
        'hydranet',
        'train',
        '/home/me/second.yaml',
        'start=/big/first.safetensors',
        'steps=2',
    ]
    told = describe_training(second, [], 2, typed, {}, start=starting_model(second))
    assert told['started_from'] == {'name': 'first', 'steps_done': 1}
    assert told['command'] == 'hydranet train …/second.yaml start=…/first.safetensors steps=2'


def test_a_model_inherits_the_licence_of_its_starting_weights(tmp_path: Path) -> None:
    first = small_recipe(tmp_path, name='first', license='non-commercial research')
    network = HydraNet(first.channels(), TRAINED_UPSAMPLING)
    path = tmp_path / 'first.safetensors'
    save_bundle(path, Bundle.from_network(metadata_of(first), network))
    second = replace(first, name='second', license='MIT', encoder=str(path))
    start = starting_model(second)
    assert inherited_license(second, start) == 'MIT; starts from first: non-commercial research'
    assert inherited_license(replace(second, license=first.license), start) == first.license
    assert inherited_license(first, starting_model(first)) == first.license


def test_training_starts_at_the_depth_of_its_data(tmp_path: Path) -> None:
    """Geometric mean of what the first samples are taught, in canonical metres."""
    dataset = write_streets(tmp_path, 2)
    recipe = small_recipe(
        dataset,
        mixture=(Ingredient(str(dataset), 'all', scale=(1.0, 1.0)),),
        canonical_focal=200.0,
    )
    data = load_dataset(dataset, 'all')
    typical = typical_depth(recipe, [data])
    depths = [data.load(index).depth for index in range(2)]
    assert 2 * min(map(np.nanmin, depths)) < typical < 2 * max(map(np.nanmax, depths))
    twice = replace(recipe, canonical_focal=400.0)
    assert typical_depth(twice, [data]) == pytest.approx(2 * typical, rel=1e-5)
    assert typical_depth(replace(recipe, tasks=('segmentation',)), [data]) == 1.0
