# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Measure predictions image by image: datasets, bags, trainings and teachers go through here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.evaluation.figures import figures_of
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES, Metric


class ImageResult(NamedTuple):
    """One task of one image."""

    quality: float  # main figure of the task, negative if lower is better
    metric: Metric


class Accumulator:
    """Sums of all images, by task; memory grows by some bytes per image."""

    def __init__(self, tasks: Iterable[str], protocol: EvaluationProtocol) -> None:
        self.protocol = protocol
        self.totals: dict[str, Metric] = {task: MEASURES[task].make(protocol) for task in tasks}
        self.qualities: dict[str, list[float]] = {task: [] for task in self.totals}

    def add(self, task: str, prediction: NDArray, truth: NDArray) -> ImageResult | None:
        """
        Measure one image; returns None if its ground truth has no valid pixel.

        Raises HydranetError if the arrays do not fit each other or the protocol.
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
        Return the result of each task that was measured, in plain JSON types.

        Every result holds ``truth`` (origin of the ground truth), each figure of
        `figures.FIGURES` over all pixels of all images under its name, and what else the task's
        measure gives.
        """
        return {
            task: {
                'truth': self.protocol.origins.get(task, 'unknown'),
                **MEASURES[task].figures(total, self.protocol),
            }
            for task, total in self.totals.items()
            if self.qualities[task]
        }
