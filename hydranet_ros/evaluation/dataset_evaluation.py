# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Run a model on a dataset, and measure the predictions that have ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import Dataset
from hydranet_ros.evaluation.accumulator import Accumulator
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.runtime.predictor import Prediction, Predictor


class ImagePredictor(Protocol):
    """Runs a model on images, like ``hydranet_ros.runtime.predictor.Predictor``."""

    def predict(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Prediction:
        """Return the predictions for one image."""
        ...

    def warm_up(self, height: int, width: int, fx: float | None = None) -> float:
        """Prepare for images of this size and focal length."""
        ...


@dataclass(frozen=True)
class ImageScore:
    """How well one image was predicted."""

    index: int  # in the dataset
    name: str
    quality: float  # main figure of the task, negated if lower is better


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation."""

    images: int  # number of predicted images
    figures: dict[str, dict[str, Any]]  # by task, see `Accumulator.figures`
    ranking: dict[str, list[ImageScore]]  # by task, best first; only images with ground truth
    milliseconds: dict[str, dict[str, float]]  # per prediction, by stage: median and p95
    assumed: int = 0  # number of images whose focal length was assumed


def evaluate(
    predictor: ImagePredictor,
    dataset: Dataset,
    tasks: Iterable[str],
    protocol: EvaluationProtocol,
    *,
    indices: Sequence[int] | None = None,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Evaluation:
    """
    Measure a model on a dataset, or on the images with the given indices.

    Each image is predicted at its own size, with its focal length if known. A task is measured on
    the images that have ground truth for it; a task without such images has no figures.
    """
    accumulator = Accumulator(tasks, protocol)
    chosen = range(len(dataset)) if indices is None else indices
    ranking: dict[str, list[ImageScore]] = {task: [] for task in accumulator.totals}
    seen: set[tuple[int, ...]] = set()
    times: list[dict[str, float]] = []
    assumed = 0
    for index in progress(chosen):
        sample = dataset.load(index)
        height, width = sample.image.shape[:2]
        if (height, width) not in seen:
            predictor.warm_up(height, width, sample.fx)
            seen.add((height, width))
        prediction = predictor.predict(sample.image, sample.fx)
        times.append(prediction.timing)
        assumed += prediction.scale_assumed
        for task, scores in ranking.items():
            truth = getattr(sample, task)
            if truth is not None:
                found = getattr(prediction, MEASURES[task].field)
                result = accumulator.add(task, found, truth)
                if result is not None:
                    scores.append(ImageScore(index, sample.name, result.quality))
    return Evaluation(
        images=len(chosen),
        figures=accumulator.figures(),
        ranking={
            task: sorted(scores, key=lambda score: (-score.quality, score.index))
            for task, scores in ranking.items()
            if scores
        },
        milliseconds=_summary(times),
        assumed=assumed,
    )


def annotated_tasks(dataset: Dataset) -> frozenset[str]:
    """Return the tasks for which at least one image is annotated."""
    return frozenset().union(*(dataset.tasks(index) for index in range(len(dataset))))


def measurable_tasks(predictor: Predictor, dataset: Dataset) -> tuple[str, ...]:
    """Return the tasks to measure; for segmentation, model and dataset need equal classes."""
    annotated = annotated_tasks(dataset)
    same_labels = (
        predictor.label_set is not None
        and dataset.label_set is not None
        and predictor.label_set.classes == load_label_set(dataset.label_set).classes
    )
    return tuple(
        task
        for task in predictor.metadata.tasks
        if task in annotated and (task != 'segmentation' or same_labels)
    )


def spread_indices(count: int, limit: int | None = None) -> list[int]:
    """Return at most ``limit`` indices (None: all), spread evenly from 0 to ``count - 1``."""
    places = np.linspace(0, count - 1, min(count, limit or count))
    return [int(place) for place in places.round()]


def _summary(times: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    stages = times[0] if times else {}
    return {
        stage: {
            'median': 1000 * float(np.median([time[stage] for time in times])),
            'p95': 1000 * float(np.percentile([time[stage] for time in times], 95)),
        }
        for stage in stages
    }
