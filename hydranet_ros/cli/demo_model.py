# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The model of the demo: the user's, the package's default, or random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice, save_bundle
from hydranet_ros.model.exported_model import read_model
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.pictures.panels import depth_colors, Look
from hydranet_ros.resources import default_model, model_path

# Output topic of each field of a prediction.
RESULT_TOPICS: Mapping[str, str] = {
    'labels': '/segmentation',
    'depth': '/depth',
    'normals': '/normals',
}
DEPTH_CAMERA_INFO_TOPIC = '/depth/camera_info'
UNTRAINED = 'UNTRAINED WEIGHTS: the results below are meaningless'


@dataclass(frozen=True)
class DemoModel:
    """The model of the demo."""

    path: Path  # of the model file
    name: str
    results: Mapping[str, str]  # topic of each predicted field
    topics: tuple[str, ...]  # all topics of the node that are recorded
    look: Look
    warning: str  # shown with the results if the weights are random, else empty
    description: str  # for the console


def choose_model(wanted: str | None, folder: Path) -> DemoModel:
    """
    Use the given model (path or name), else the package's default, else random weights.

    Random weights are written to ``folder``.
    """
    path = model_path(wanted) if wanted else default_model()
    trained = path is not None
    if path is None:
        path = folder / 'untrained.safetensors'
        save_bundle(path, untrained_bundle())
    metadata = read_model(path).metadata
    fields = [TASKS[task].fields[0].name for task in metadata.tasks]
    results = {field: topic for field, topic in RESULT_TOPICS.items() if field in fields}
    topics = (*results.values(), *([DEPTH_CAMERA_INFO_TOPIC] if 'depth' in results else []))
    piece = metadata.label_slice()
    labels = piece.labels if piece else None
    what = 'models/ has no trained model, so the weights are random and results are meaningless'
    return DemoModel(
        path=path,
        name=metadata.name,
        results=results,
        topics=topics,
        look=Look(labels, depth_colors(metadata.depth_range)),
        warning='' if trained else UNTRAINED,
        description=f'{metadata.name} ({path})' if trained else f'UNTRAINED ({what})',
    )


def untrained_bundle() -> Bundle:
    """Make a model with fixed random weights, to show that the processes work."""
    import torch

    from hydranet_ros.model.network import HydraNet

    labels = load_label_set('kitti6')
    tasks = {'segmentation': labels.size, 'depth': 1}
    torch.manual_seed(0)
    network = HydraNet(tasks)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            # Preserves the variance of activations through the layers, so that outputs vary.
            torch.nn.init.kaiming_normal_(parameter)
    metadata = BundleMetadata(
        name='untrained',
        tasks=tasks,
        label_slices=(LabelSlice(labels),),
        depth_range=(0.5, 80.0),
        provenance={'training': 'none, random weights'},
    )
    return Bundle.from_network(metadata, network)
