# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The weights that a training starts from: random, from a model file, or from ImageNet.

ImageNet files hold MobileNet-v2 with torchvision's names (``features.0`` is the stem,
``features.1`` to ``features.17`` are the blocks), or an EfficientNet-Lite with the names of the
PyPI package efficientnet-lite-pytorch. The classification layers are not used. The first block of
the published joint network has an expansion that MobileNet-v2 lacks; it starts as the identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn, Tensor

from hydranet_ros.data.sample import Dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, load_bundle, without_counters
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import HEAD_PREFIX, HydraNet, TRAINED_UPSAMPLING
from hydranet_ros.model.torch_files import read_torch_file
from hydranet_ros.training.batches import TrainingBatches
from hydranet_ros.training.recipe import Recipe

_FIRST_EXPANSION = 'layer2.0.output.0'
_SAMPLES = 32
"""Number of samples that the typical depth is estimated from."""


@dataclass(frozen=True)
class Loaded:
    """What a network got from a file."""

    keys: frozenset[str]  # of the tensors that were loaded completely
    account: str  # one sentence for the user


def start_network(recipe: Recipe, initial_depth: float) -> tuple[HydraNet, str]:
    """
    Make a recipe's network with its initial weights; also return where they are from.

    The network predicts ``initial_depth`` (metres) everywhere, unless its depth head comes from a
    file. If the initial depth were far from the data's depth, all gradients of the first steps
    would have the same sign, and most features of the decoder would stay where ReLU6 has no
    gradient.
    """
    network = new_network(recipe)
    loaded = Loaded(frozenset(), 'All weights are random.')
    if recipe.encoder:
        loaded = initialize(network, recipe.encoder, recipe.label_sets, recipe.canonical_focal)
    if 'depth' in recipe.tasks and f'{HEAD_PREFIX["depth"]}.bias' not in loaded.keys:
        nn.init.constant_(network.get_parameter(f'{HEAD_PREFIX["depth"]}.bias'), initial_depth)
    return network, loaded.account


def new_network(recipe: Recipe) -> HydraNet:
    """Make a recipe's network, with random weights."""
    network = HydraNet(recipe.channels(), TRAINED_UPSAMPLING, recipe.architecture)
    # Convolutions with channels-last weights are several times faster on CPUs.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def typical_depth(recipe: Recipe, datasets: Sequence[Dataset]) -> float:
    """
    Return the geometric mean of depth in the first samples of a training.

    The unit is that of the network's output: metres at the canonical focal length, if the recipe
    has one. The result is 1 if no pixel has depth.
    """
    if 'depth' not in recipe.tasks:
        return 1.0
    batches = TrainingBatches(datasets, recipe)
    depths = [batches[number].depth for number in range(math.ceil(_SAMPLES / recipe.batch))]
    logarithms = torch.cat([depth[depth > 0].log() for depth in depths])
    return float(logarithms.mean().exp()) if len(logarithms) else 1.0


def initialize(
    network: HydraNet,
    path: str | Path,
    label_sets: Sequence[str] = (),
    canonical_focal: float | None = None,
) -> Loaded:
    """
    Load initial weights from a model file or an ImageNet file.

    From a model file, all weights with the same name and shape are loaded, so heads may differ.
    The segmentation head is loaded by label set: the channels of each of ``label_sets`` that the
    model file also has.
    If the model file has another canonical focal length than ``canonical_focal`` (pixels), the
    depth head is scaled by their ratio.
    """
    path = Path(path).expanduser()
    if path.suffix != '.safetensors':
        state = read_torch_file(path, "file of an encoder's weights")
        if isinstance(state, Mapping) and all(isinstance(v, Tensor) for v in state.values()):
            return load_imagenet(network, state, str(path))
        raise HydranetError(
            f'{path} holds no state dict; give the weights of {network.encoder.title}.'
        )

    def is_of(task: str, key: str) -> bool:
        return key.partition('.')[0] == HEAD_PREFIX[task]

    own = without_counters(network.state_dict())
    bundle = load_bundle(path)
    if bundle.metadata.architecture != network.architecture:
        raise HydranetError(
            f'{path} has the encoder {bundle.metadata.architecture}, but the recipe has '
            f'{network.architecture}; set `architecture`, or start from another file.'
        )
    given = {key: v for key, v in bundle.weights.items() if not is_of('segmentation', key)}
    former = bundle.metadata.canonical_focal
    if former and canonical_focal:
        factor = np.float32(canonical_focal / former)
        given |= {key: factor * given[key] for key in given if is_of('depth', key)}
    loaded = [key for key in own if key in given and own[key].shape == given[key].shape]
    for key in loaded:
        own[key].copy_(torch.from_numpy(given[key]))
    known = _load_classes(own, bundle, label_sets)
    parts = {key.partition('.')[0].removeprefix('pre_') for key in own if key not in loaded}
    new = [f'the classes of {name}' for name in label_sets if name not in known]
    new += sorted(parts - {HEAD_PREFIX['segmentation']})
    account = f'{len(loaded)} of {len(own)} tensors'
    if known:
        account += f' and the classes of {", ".join(known)}'
    account += f' are from {path}'
    return Loaded(frozenset(loaded), f'{account}; new: {", ".join(new) or "nothing"}.')


def _load_classes(
    own: Mapping[str, Tensor], bundle: Bundle, label_sets: Sequence[str]
) -> list[str]:
    """Load the segmentation head's rows of label sets that a model has; return their names."""
    known = []
    start = 0
    for name in label_sets:
        end = start + load_label_set(name).size
        piece = bundle.metadata.slice_of(name)
        if piece is not None:
            for key in (f'{HEAD_PREFIX["segmentation"]}.{part}' for part in ('weight', 'bias')):
                rows = bundle.weights[key][piece.start : piece.stop]
                own[key][start:end].copy_(torch.from_numpy(rows))
            known.append(name)
        start = end
    return known


@torch.no_grad()
def load_imagenet(network: HydraNet, state: Mapping[str, Tensor], source: str) -> Loaded:
    """
    Copy the weights of an image classifier into the encoder.

    Both networks list convolutions and batch norms in order of use, so tensors are paired in that
    order. Raises HydranetError if shapes differ.
    """
    encoder = network.encoder
    own = {
        key: value
        for key, value in without_counters(network.state_dict()).items()
        if key.startswith('layer')
    }
    if encoder.expands_always:
        make_identity(network.get_submodule(_FIRST_EXPANSION))
        own = {k: v for k, v in own.items() if not k.startswith(f'{_FIRST_EXPANSION}.')}
    keys = encoder.imagenet_keys
    given = [item for item in without_counters(state).items() if item[0].startswith(keys)]
    if len(own) != len(given):
        raise HydranetError(
            f'{source} has {len(given)} tensors for the encoder, which takes {len(own)}; give '
            f'the weights of {encoder.title}.'
        )
    for (key, target), (name, value) in zip(own.items(), given, strict=True):
        if target.shape != value.shape or key.rpartition('.')[2] != name.rpartition('.')[2]:
            raise HydranetError(
                f'{source} has {name} {tuple(value.shape)} where the encoder has {key} '
                f'{tuple(target.shape)}; give the weights of {encoder.title}.'
            )
        target.copy_(value)
    account = f'{len(own)} tensors of the encoder are from {source}; decoder and heads are new.'
    return Loaded(frozenset(own), account)


@torch.no_grad()
def make_identity(block: nn.Module) -> None:
    """
    Make a 1x1 convolution, batch norm and ReLU6 pass values from 0 to 6 unchanged.

    Batch norm divides by ``sqrt(variance + eps)``. With mean 0 and variance 1, its weight must be
    ``sqrt(1 + eps)`` to cancel this.
    """
    assert isinstance(block, nn.Sequential)
    convolution, norm = block[0], block[1]
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    nn.init.dirac_(convolution.weight)
    norm.reset_running_stats()
    nn.init.constant_(norm.weight, (1.0 + norm.eps) ** 0.5)
    nn.init.zeros_(norm.bias)
