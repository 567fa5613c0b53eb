# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Measure predictions image by image; used for datasets, bags, trainings and teachers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.evaluation.figures import figures_of
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES, Metric


class ImageResult(NamedTuple):
    """The result of one task on one image."""

    quality: float  # main figure of the task, negated if lower is better
    metric: Metric


class Accumulator:
    """Metrics over all images, by task; memory grows by a few bytes per image."""

    def __init__(self, tasks: Iterable[str], protocol: EvaluationProtocol) -> None:
        self.protocol = protocol
        self.totals: dict[str, Metric] = {task: MEASURES[task].make(protocol) for task in tasks}
        self.qualities: dict[str, list[float]] = {task: [] for task in self.totals}

    def add(self, task: str, prediction: NDArray, truth: NDArray) -> ImageResult | None:
        """
        Measure one image, or return None if its ground truth has no valid pixel.

        Raises HydranetError if the shapes differ, or the ground truth holds an id outside the
        label set.
        """
        metric: Any = MEASURES[task].make(self.protocol)
        metric.update(prediction, truth)
        main = figures_of(task)[0]
        quality = float(main.sign * metric.pooled()[main.name])
        if not np.isfinite(quality):
            return None
        total: Any = self.totals[task]
        total.merge(metric)
        self.qualities[task].append(quality)
        return ImageResult(quality, metric)

    def figures(self) -> dict[str, dict[str, Any]]:
        """
        Return the results of each measured task, in plain JSON types.

        The result of a task has ``truth`` (the origin of the ground truth), the task's figures of
        `figures.FIGURES` over all pixels of all images, and whatever else its `Measure` returns.
        """
        return {
            task: {
                'truth': self.protocol.origins.get(task, 'unknown'),
                **MEASURES[task].figures(total, self.protocol),
            }
            for task, total in self.totals.items()
            if self.qualities[task]
        }
