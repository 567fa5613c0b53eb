# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a network in training as it will be deployed: upsampled and post-processed alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hydranet_ros.data.sample import Dataset, RgbImage, Sample
from hydranet_ros.evaluation.dataset_evaluation import evaluate
from hydranet_ros.evaluation.figures import figures_of
from hydranet_ros.evaluation.measures import Protocol
from hydranet_ros.model.bundle import BundleMetadata
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import enlarge, HydraNet
from hydranet_ros.model.tasks import PostProcessing, TASKS
from hydranet_ros.runtime.predictor import Prediction


@dataclass(frozen=True)
class Findings:
    """The result of an evaluation."""

    figures: dict[str, float]  # by name, as in `figures.FIGURES`
    pictures: tuple[tuple[Sample, Prediction], ...] = ()  # a few samples and their predictions


def normalize(image: Tensor, metadata: BundleMetadata) -> Tensor:
    """Turn N x H x W x 3 uint8 RGB into the network's input, N x 3 x H x W, channels last."""
    mean = torch.tensor(metadata.mean, device=image.device).view(1, 3, 1, 1)
    std = torch.tensor(metadata.std, device=image.device).view(1, 3, 1, 1)
    return (image.permute(0, 3, 1, 2).float() / 255.0 - mean) / std


class NetworkPredictor:
    """Predicts by a network in evaluation mode; segmentation in one of its label sets."""

    def __init__(
        self,
        network: HydraNet,
        metadata: BundleMetadata,
        label_set: str | None,
        device: torch.device,
    ) -> None:
        self._network = network
        self._metadata = metadata
        self._piece = metadata.label_slice(label_set) if metadata.label_slices else None
        self._device = device

    def warm_up(self, _height: int, _width: int) -> float:
        """Do nothing: times are not measured."""
        return 0.0

    @torch.inference_mode()
    def predict(self, rgb: RgbImage, fx: float | None = None) -> Prediction:
        """Predict an image at its own size."""
        metadata = self._metadata
        image = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._device)
        height, width = rgb.shape[:2]
        options = (metadata.upsampling, metadata.interpolation)
        raw = self._network(normalize(image[None], metadata))
        fields: dict[str, Any] = {}
        for task, low in raw.items():
            output = low
            if task == 'segmentation' and self._piece is not None:
                output = output[:, self._piece.start : self._piece.stop]
            full = enlarge(output.float(), height, width, *options)
            wanted = frozenset({TASKS[task].fields[0].name})
            processed = TASKS[task].post_process(
                full, PostProcessing(metadata.depth_range), wanted
            )
            fields.update({name: tensor[0].cpu().numpy() for name, tensor in processed.items()})
        if 'depth' in fields and metadata.canonical_focal:
            fx = fx or metadata.default_focal or metadata.canonical_focal
            fields['depth'] = fields['depth'] * np.float32(fx / metadata.canonical_focal)
        return Prediction(**fields)


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
    Measure a network in evaluation mode on a dataset.

    Parameters
    ----------
    tasks
        Tasks to measure; all that are annotated if empty.
    stride
        Take every N-th sample.
    pictures
        Number of samples to return with their predictions.

    """
    labels = load_label_set(dataset.label_set) if dataset.label_set else None
    chosen = [
        task
        for task in metadata.tasks
        if (not tasks or task in tasks) and (labels or task != 'segmentation')
    ]
    predictor = NetworkPredictor(
        network, metadata, dataset.label_set, device or torch.device('cpu')
    )
    indices = range(0, len(dataset), stride)
    found = evaluate(predictor, dataset, chosen, Protocol(labels), indices=indices).figures
    figures = {
        figure.name: values[figure.name]
        for task, values in found.items()
        for figure in figures_of(task)
    }
    to_show = indices[:: max(1, len(indices) // max(pictures, 1))][:pictures]
    samples = [dataset.load(index) for index in to_show]
    shown = [(sample, predictor.predict(sample.image, sample.fx)) for sample in samples]
    return Findings(figures, tuple(shown))
