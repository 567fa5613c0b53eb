# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The encoder's start: MobileNet-v2 weights from ImageNet, as torchvision names them.

Such files hold ``features.0`` (the stem), ``features.1`` to ``features.17`` (the blocks) and, not
used here, ``features.18`` and a classifier. The published joint network keeps an expansion also
in its first block, which MobileNet-v2 does not have: there it starts as the identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn, Tensor

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import load_bundle
from hydranet_ros.model.network import HEAD_PREFIX, HydraNet
from hydranet_ros.model.torch_files import read_torch_file

_STEM, _FIRST_BLOCK, _LAST_BLOCK = 0, 1, 17
_EXPANSION = 'layer2.0.output.0'
"""The first block's expansion, of which the file has nothing."""
_COUNTER = 'num_batches_tracked'


def initialize(
    network: HydraNet,
    path: str | Path,
    label_sets: Sequence[str] = (),
    canonical_focal: float | None = None,
) -> frozenset[str]:
    """
    Start a network from a file: a model file of ours, or MobileNet-v2 from ImageNet.

    From a model file, all weights of the same name and shape are taken, so that a network with
    other heads can start from it; the head of segmentation only if it is for the same classes.

    Parameters
    ----------
    network
        What to start.
    path
        A model file, or what torch saved.
    label_sets
        The network's, in the order of their logits.
    canonical_focal
        Focal length in pixels that its depth is for. That of a model for another one is scaled.

    Returns
    -------
    frozenset
        Keys of the weights that were taken.

    Raises
    ------
    HydranetError
        If the file is missing or neither.

    """
    path = Path(path).expanduser()
    if path.suffix == '.safetensors':
        own = network.state_dict()
        bundle = load_bundle(path)
        given = dict(bundle.weights)
        if [piece.labels.name for piece in bundle.metadata.label_slices] != list(label_sets):
            given = {key: value for key, value in given.items() if not _is_of('segmentation', key)}
        former = bundle.metadata.canonical_focal
        if former and canonical_focal:
            factor = np.float32(canonical_focal / former)
            given |= {k: factor * given[k] for k in given if _is_of('depth', k)}
        taken = [key for key in own if key in given and own[key].shape == given[key].shape]
        for key in taken:
            own[key].copy_(torch.from_numpy(given[key]))
        return frozenset(taken)
    return load_imagenet(network, read_state(path), str(path))


def _is_of(task: str, key: str) -> bool:
    """Tell whether a weight is of a task's last convolution."""
    return key.partition('.')[0] == HEAD_PREFIX[task]


def read_state(path: Path) -> dict[str, Tensor]:
    """
    Read a state dict that torch saved.

    Raises
    ------
    HydranetError
        If the file is missing or holds something else.

    """
    state = read_torch_file(path, "file of an encoder's weights")
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise HydranetError(f'{path} holds no state dict.')
    return dict(state)


@torch.no_grad()
def load_imagenet(network: HydraNet, state: Mapping[str, Tensor], source: str) -> frozenset[str]:
    """
    Copy MobileNet-v2's weights into the encoder.

    Both list a block's convolutions and batch norms in the order of use, so they are paired in
    that order, and the shapes must agree. Returns the keys of what was copied.

    Raises
    ------
    HydranetError
        If they do not.

    """
    make_identity(network.get_submodule(_EXPANSION))
    own = {
        key: value
        for key, value in network.state_dict().items()
        if key.startswith('layer')
        and not key.startswith(f'{_EXPANSION}.')
        and not key.endswith(_COUNTER)
    }
    given = [
        (key, value)
        for key, value in state.items()
        if _is_encoder(key) and not key.endswith(_COUNTER)
    ]
    if len(own) != len(given):
        raise HydranetError(
            f'{source} has {len(given)} tensors for the encoder, which takes {len(own)}; give '
            'the weights of MobileNet-v2 with width 1.'
        )
    for (key, target), (name, value) in zip(own.items(), given, strict=True):
        if target.shape != value.shape or key.rpartition('.')[2] != name.rpartition('.')[2]:
            raise HydranetError(
                f'{source} has {name} {tuple(value.shape)} where the encoder has {key} '
                f'{tuple(target.shape)}; give the weights of MobileNet-v2 with width 1.'
            )
        target.copy_(value)
    return frozenset(own)


def _is_encoder(key: str) -> bool:
    parts = key.split('.')
    return parts[0] == 'features' and _STEM <= int(parts[1]) <= _LAST_BLOCK


@torch.no_grad()
def make_identity(block: nn.Module) -> None:
    """
    Make a 1x1 convolution, batch norm and ReLU6 pass on what already lies from 0 to 6.

    Batch norm divides by ``sqrt(variance + eps)``; with mean 0 and variance 1 its weight has to
    be just that.
    """
    assert isinstance(block, nn.Sequential)
    convolution, norm = block[0], block[1]
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    nn.init.dirac_(convolution.weight)
    norm.reset_running_stats()
    nn.init.constant_(norm.weight, (1.0 + norm.eps) ** 0.5)
    nn.init.zeros_(norm.bias)
