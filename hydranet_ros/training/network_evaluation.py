# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a network during training, with the post-processing of the deployed graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from hydranet_ros.data.sample import Dataset, RgbImage, Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.dataset_evaluation import evaluate
from hydranet_ros.evaluation.figures import figures_of
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.model.bundle import BundleMetadata
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import enlarge, HydraNet, normalize
from hydranet_ros.model.tasks import PostProcessing, TASKS
from hydranet_ros.runtime.predictor import Prediction


@dataclass(frozen=True)
class NetworkEvaluation:
    """The result of an evaluation."""

    figures: dict[str, float]  # by name, as in `figures.FIGURES`
    pictures: tuple[tuple[Sample, Prediction], ...] = ()  # a few samples and their predictions


class NetworkPredictor:
    """
    Runs a network in evaluation mode.

    Predicted labels are class ids of ``label_set`` (name or path).
    """

    def __init__(
        self,
        network: HydraNet,
        metadata: BundleMetadata,
        label_set: str | None,
        device: torch.device,
    ) -> None:
        self._network = network
        self._metadata = metadata
        self._piece = metadata.slice_of(label_set)
        if label_set and metadata.label_slices and self._piece is None:
            raise HydranetError(f'The network does not predict the classes of {label_set}.')
        self._device = device

    def warm_up(self, _height: int, _width: int, _fx: float | None = None) -> float:
        """Do nothing: times are not measured."""
        return 0.0

    @torch.inference_mode()
    def predict(self, rgb: RgbImage, fx: float | None = None) -> Prediction:
        """Return the predictions for an image, at the size of the image."""
        metadata = self._metadata
        image = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._device)
        height, width = rgb.shape[:2]
        options = (metadata.upsampling, metadata.interpolation)
        focal, _ = metadata.focal_length(fx, width, height)
        length_scale = metadata.length_scale(focal)
        raw = self._network(normalize(image[None], metadata.mean, metadata.std))
        fields: dict[str, Any] = {}
        for task, low in raw.items():
            output = low
            if task == 'segmentation' and self._piece is not None:
                output = output[:, self._piece.start : self._piece.stop]
            full = enlarge(output.float(), height, width, *options)
            field = TASKS[task].fields[0]
            processed = TASKS[task].post_process(
                full, PostProcessing(metadata.depth_range), frozenset({field.name})
            )
            values = processed[field.name][0].cpu().numpy()
            scale = np.float32(length_scale)
            fields[field.name] = values * scale if field.scaled_by_focal else values
        return Prediction(**fields)


def evaluate_network(
    network: HydraNet,
    dataset: Dataset,
    metadata: BundleMetadata,
    *,
    tasks: tuple[str, ...] = (),
    stride: int = 1,
    pictures: int = 2,
    device: torch.device | None = None,
) -> NetworkEvaluation:
    """
    Measure a network in evaluation mode on a dataset.

    Measures ``tasks`` (if empty, all annotated tasks) on every ``stride``-th sample. ``pictures``
    is the number of samples to return with their predictions.
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
    found = evaluate(
        predictor, dataset, chosen, EvaluationProtocol(labels), indices=indices
    ).figures
    figures = {
        figure.name: values[figure.name]
        for task, values in found.items()
        for figure in figures_of(task)
    }
    to_show = indices[:: max(1, len(indices) // max(pictures, 1))][:pictures]
    samples = [dataset.load(index) for index in to_show]
    shown = [(sample, predictor.predict(sample.image, sample.fx)) for sample in samples]
    return NetworkEvaluation(figures, tuple(shown))
