# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Convert published checkpoints (state dicts, pickled with torch) to bundles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import hashlib
from pathlib import Path
from typing import Any, TYPE_CHECKING

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice, without_counters
from hydranet_ros.model.labels import LabelSet
from hydranet_ros.model.torch_files import read_torch_file

if TYPE_CHECKING:
    from torch import Tensor


def convert_checkpoint(
    path: str | Path,
    label_sets: Sequence[LabelSet],
    *,
    name: str | None = None,
    depth_range: tuple[float, float] = BundleMetadata.depth_range,
    license_name: str = BundleMetadata.license,
) -> Bundle:
    """
    Read a published checkpoint; its heads decide which tasks the model has.

    Parameters
    ----------
    path
        A file written by ``torch.save`` in Python 2 or 3. It holds a state dict, or a mapping with
        the state dict under the key ``state_dict`` or, as the authors' training script writes it,
        ``segmenter``. The keys of the state dict may have the prefix ``module.``, which torch's
        data parallelism adds.
    label_sets
        The label sets of the segmentation logits, in the order of their channels.
    name
        Name of the model; the file's name if None.
    depth_range
        Smallest and largest depth, in metres.

    """
    path = Path(path)
    state = _load_state_dict(path)
    tasks = _tasks_of(state, path)
    slices = LabelSlice.concatenate(label_sets if 'segmentation' in tasks else ())
    count = slices[-1].stop if slices else 0
    if count != tasks.get('segmentation', 0):
        names = ' + '.join(f'{labels.name} ({labels.size})' for labels in label_sets) or 'none'
        raise HydranetError(
            f'{path} segments into {tasks["segmentation"]} classes, but the given label sets have '
            f'{count}: {names}; give --labels the label sets of its training, in order.'
        )
    metadata = BundleMetadata(
        name=name or path.name.split('.')[0],
        tasks=tasks,
        label_slices=slices,
        depth_range=depth_range,
        license=license_name,
        provenance={
            'converted_from': path.name,
            'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        },
    )
    weights = {key: tensor.float().numpy() for key, tensor in without_counters(state).items()}
    bundle = Bundle(metadata, weights, path)
    bundle.network()  # raises if the weights do not fit the network
    return bundle


def _load_state_dict(path: Path) -> dict[str, Tensor]:
    import torch

    content = read_torch_file(path, 'torch checkpoint of plain tensors')
    if isinstance(content, Mapping):
        nested = (_get(content, key) for key in ('state_dict', 'segmenter'))
        content = next((value for value in nested if isinstance(value, Mapping)), content)
    state = {}
    for key, value in content.items() if isinstance(content, Mapping) else ():
        text = key.decode('ascii', 'replace') if isinstance(key, bytes) else str(key)
        if isinstance(value, torch.Tensor):
            state[text.removeprefix('module.')] = value
    if not state:
        raise HydranetError(f'{path} holds no state dict; give the checkpoint of a network.')
    return state


def _get(content: Mapping[Any, Any], key: str) -> Any:
    return content.get(key, content.get(key.encode()))


def _tasks_of(state: Mapping[str, Tensor], path: Path) -> dict[str, int]:
    from hydranet_ros.model.network import HEAD_PREFIX

    tasks = {
        name: len(state[f'{prefix}.weight'])
        for name, prefix in HEAD_PREFIX.items()
        if f'{prefix}.weight' in state and state[f'{prefix}.weight'].ndim == 4
    }
    if not tasks:
        heads = ', '.join(f'{prefix}.weight' for prefix in HEAD_PREFIX.values())
        raise HydranetError(
            f'{path} is a checkpoint of another network: it has none of the heads {heads}.'
        )
    return tasks
