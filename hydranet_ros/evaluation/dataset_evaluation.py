# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Run a model over a dataset and measure all that both have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
import typing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import Dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.measures import MEASURES, Metric, Protocol
from hydranet_ros.runtime.predictor import Prediction


class ImagePredictor(typing.Protocol):
    """What predicts; see ``hydranet_ros.runtime.predictor.Predictor``."""

    def predict(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Prediction:
        """Predict one image."""
        ...

    def warm_up(self, height: int, width: int) -> float:
        """Prepare for images of a size."""
        ...


@dataclass(frozen=True)
class ImageScore:
    """
    How well one image was predicted.

    Attributes
    ----------
    index
        Its place in the dataset.
    name
        Its name.
    quality
        The greater the better; what it is, the task's ``Measure`` says.

    """

    index: int
    name: str
    quality: float


@dataclass(frozen=True)
class Evaluation:
    """
    What an evaluation found.

    Attributes
    ----------
    images
        Number of images predicted.
    figures
        By task, in plain JSON types.
    ranking
        By task, the images with ground truth from the best to the worst.
    milliseconds
        Of one prediction, by stage: ``median`` and ``p95``.

    """

    images: int
    figures: dict[str, dict[str, Any]]
    ranking: dict[str, list[ImageScore]]
    milliseconds: dict[str, dict[str, float]]


def evaluate(
    predictor: ImagePredictor,
    dataset: Dataset,
    tasks: Iterable[str],
    protocol: Protocol,
    *,
    indices: Sequence[int] | None = None,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Evaluation:
    """
    Measure a model on a dataset.

    Each image is predicted at its own size, with its focal length where that is known, and its
    annotations are compared pixel by pixel.

    Parameters
    ----------
    predictor
        The model.
    dataset
        Images with ground truth.
    tasks
        Names of the tasks to measure; images that lack a task's annotation are left out of it.
    protocol
        What the benchmark lays down.
    indices
        Which images; None for all.
    progress
        Wraps the indices, e.g. in a progress bar.

    Raises
    ------
    HydranetError
        If no image has ground truth for any of the tasks.

    """
    meters = {task: _Meter(task, protocol) for task in tasks}
    chosen = range(len(dataset)) if indices is None else indices
    seen: set[tuple[int, ...]] = set()
    times: list[dict[str, float]] = []
    for index in progress(chosen):
        sample = dataset.load(index)
        size = sample.image.shape[:2]
        if size not in seen:
            predictor.warm_up(*size)
            seen.add(size)
        prediction = predictor.predict(sample.image, sample.fx)
        times.append(prediction.timing)
        for task, meter in meters.items():
            truth = getattr(sample, task)
            if truth is not None:
                meter.update(index, sample.name, prediction, truth)
    if not any(meter.scores for meter in meters.values()):
        raise HydranetError(
            f'None of the images has ground truth for {" or ".join(meters) or "any task"}; choose '
            'a dataset or split that has.'
        )
    measured = {task: meter for task, meter in meters.items() if meter.scores}
    return Evaluation(
        images=len(chosen),
        figures={task: meter.figures() for task, meter in measured.items()},
        ranking={task: meter.ranking() for task, meter in measured.items()},
        milliseconds=_summary(times),
    )


class _Meter:
    """Gathers one task's figures and the images' own."""

    def __init__(self, task: str, protocol: Protocol) -> None:
        self._measure = MEASURES[task]
        self._protocol = protocol
        self._origin = protocol.origins.get(task, 'unknown')
        self._total: Metric = self._measure.make(protocol)
        self.scores: list[ImageScore] = []

    def update(self, index: int, name: str, prediction: Prediction, truth: NDArray) -> None:
        metric: Any = self._measure.make(self._protocol)
        metric.update(getattr(prediction, self._measure.field), truth)
        quality = self._measure.quality(metric)
        if np.isfinite(quality):
            self._total.merge(metric)
            self.scores.append(ImageScore(index, name, float(quality)))

    def figures(self) -> dict[str, Any]:
        return {
            'truth': self._origin,
            **self._measure.figures(self._total, self._protocol),
        }

    def ranking(self) -> list[ImageScore]:
        return sorted(self.scores, key=lambda score: (-score.quality, score.index))


def _summary(times: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    stages = times[0] if times else {}
    return {
        stage: {
            'median': 1000 * float(np.median([time[stage] for time in times])),
            'p95': 1000 * float(np.percentile([time[stage] for time in times], 95)),
        }
        for stage in stages
    }
