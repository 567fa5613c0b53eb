# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a network in training as it will be deployed: enlarged and post-processed alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hydranet_ros.data.sample import Dataset, Sample
from hydranet_ros.evaluation.metrics import ConfusionMatrix, DepthMetrics, NormalsMetrics
from hydranet_ros.model.bundle import BundleMetadata
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import enlarge, HydraNet
from hydranet_ros.model.tasks import PostProcessing, TASKS

MAXIMUM_DEPTH = 80.0
"""Metres; ground truth beyond is not measured, as KITTI has it."""
MINIMUM_DEPTH = 1e-3


@dataclass(frozen=True)
class Findings:
    """
    What an evaluation found.

    Attributes
    ----------
    figures
        Figure to value: ``mean_iou``, ``abs_rel``, ``delta1``, …
    pictures
        A few samples with what the network made of them: task name to raw field, by sample.

    """

    figures: dict[str, float]
    pictures: tuple[tuple[Sample, Mapping[str, np.ndarray]], ...] = ()


def normalize(image: Tensor, metadata: BundleMetadata) -> Tensor:
    """Turn N x H x W x 3 uint8 RGB into the network's input, N x 3 x H x W, channels last."""
    mean = torch.tensor(metadata.mean, device=image.device).view(1, 3, 1, 1)
    std = torch.tensor(metadata.std, device=image.device).view(1, 3, 1, 1)
    return (image.permute(0, 3, 1, 2).float() / 255.0 - mean) / std


@torch.inference_mode()
def predict(
    network: HydraNet, sample: Sample, metadata: BundleMetadata, device: torch.device
) -> dict[str, np.ndarray]:
    """
    Predict a sample's fields at its own size.

    Returns
    -------
    dict
        ``labels`` as channel numbers of its label set, ``depth`` in metres, ``normals``.

    """
    image = torch.from_numpy(np.ascontiguousarray(sample.image)).to(device)
    raw = network(normalize(image[None], metadata))
    fields: dict[str, np.ndarray] = {}
    for task, low in raw.items():
        output = low
        if task == 'segmentation':
            piece = metadata.label_slice(sample.label_set)
            assert piece is not None
            output = output[:, piece.start : piece.stop]
        height, width = sample.image.shape[:2]
        full = enlarge(output.float(), height, width, metadata.upsampling, metadata.interpolation)
        wanted = frozenset({TASKS[task].fields[0].name})
        processed = TASKS[task].post_process(full, PostProcessing(metadata.depth_range), wanted)
        fields.update({name: tensor[0].cpu().numpy() for name, tensor in processed.items()})
    if 'depth' in fields and metadata.canonical_focal:
        fx = sample.fx or metadata.default_focal or metadata.canonical_focal
        fields['depth'] = fields['depth'] * np.float32(fx / metadata.canonical_focal)
    return fields


@torch.inference_mode()
def examine(
    network: HydraNet,
    dataset: Dataset,
    metadata: BundleMetadata,
    *,
    tasks: tuple[str, ...] = (),
    stride: int = 1,
    pictures: int = 2,
    device: torch.device | None = None,
) -> Findings:
    """
    Measure a network on a dataset.

    Parameters
    ----------
    network
        In evaluation mode.
    dataset
        Its samples' annotations are the truth.
    metadata
        What the network's outputs mean.
    tasks
        What to measure; all that are annotated if empty.
    stride
        Take every n-th sample.
    pictures
        Number of samples to return with their predictions.
    device
        Where the network is.

    """
    chosen = tuple(task for task in metadata.tasks if not tasks or task in tasks)
    meters = {task: _METERS[task](dataset) for task in chosen if _possible(task, dataset)}
    seen: set[str] = set()
    shown = []
    indices = range(0, len(dataset), stride)
    to_show = set(indices[:: max(1, len(indices) // max(pictures, 1))][:pictures])
    for index in indices:
        sample = dataset.load(index)
        fields = predict(network, sample, metadata, device or torch.device('cpu'))
        for task, meter in meters.items():
            truth = getattr(sample, task)
            if truth is not None:
                meter.update(fields[TASKS[task].fields[0].name], truth)
                seen.add(task)
        if index in to_show:
            shown.append((sample, fields))
    figures: dict[str, float] = {}
    for task, meter in meters.items():
        if task in seen:
            figures.update(meter.pooled())
    return Findings(figures, tuple(shown))


def _possible(task: str, dataset: Dataset) -> bool:
    return task != 'segmentation' or dataset.label_set is not None


def _confusion(dataset: Dataset) -> ConfusionMatrix:
    assert dataset.label_set is not None
    return ConfusionMatrix(load_label_set(dataset.label_set).size)


_METERS: Mapping[str, Callable[[Dataset], ConfusionMatrix | DepthMetrics | NormalsMetrics]] = {
    'segmentation': _confusion,
    'depth': lambda _: DepthMetrics(MINIMUM_DEPTH, MAXIMUM_DEPTH),
    'normals': lambda _: NormalsMetrics(),
}
