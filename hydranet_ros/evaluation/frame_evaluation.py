# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure frame after frame of a recording or a running node.

Sums are kept over all frames, one line of figures for each, and a few pictures: memory grows by
some hundred bytes a frame. Recorded and live evaluation go through here alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.crops import crop_window
from hydranet_ros.evaluation.frame_pictures import draw_frame, FramePicture, PictureKeeper
from hydranet_ros.evaluation.measures import MEASURES, Metric, Protocol
from hydranet_ros.evaluation.metrics import ConfusionMatrix, DepthMetrics
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.pictures.panels import depth_colors, Look

HISTOGRAM_LIMIT = 1.0
"""Relative depth error at the ends of the histogram; what is larger counts there."""
HISTOGRAM_BINS = 40
_NAMED = 20
"""So many frames of a kind are named, the others counted."""


@dataclass(frozen=True, eq=False)
class MatchedFrame:
    """
    What is known of one image.

    Attributes
    ----------
    stamp
        Of the image, in nanoseconds since the epoch.
    has_image
        Whether the image itself came.
    predictions, truths
        By task; those that are missing are left out.
    rgb
        H×W×3 uint8 for pictures, None if unknown.

    """

    stamp: int
    has_image: bool
    predictions: Mapping[str, NDArray]
    truths: Mapping[str, NDArray]
    rgb: RgbImage | None = None


@dataclass
class Tally:
    """A count, and the stamps of the first that were counted."""

    count: int = 0
    stamps: list[int] = field(default_factory=list)

    def add(self, stamp: int) -> None:
        """Count a frame."""
        self.count += 1
        if len(self.stamps) < _NAMED:
            self.stamps.append(stamp)

    def as_json(self) -> dict[str, Any]:
        """Return it in plain types; stamps in seconds, as text, to the nanosecond."""
        stamps = [f'{stamp // NANOSECONDS}.{stamp % NANOSECONDS:09d}' for stamp in self.stamps]
        return {'count': self.count, 'stamps': stamps}


class FrameEvaluation:
    """
    The figures of one pass over a recording.

    Parameters
    ----------
    tasks
        What to measure.
    protocol
        How.

    """

    def __init__(self, tasks: Sequence[str], protocol: Protocol) -> None:
        self.tasks = tuple(tasks)
        self.protocol = protocol
        self._totals: dict[str, Metric] = {task: MEASURES[task].make(protocol) for task in tasks}
        self._pictures = {task: PictureKeeper() for task in tasks}
        self._qualities: dict[str, list[float]] = {task: [] for task in tasks}
        self._histogram = np.zeros(HISTOGRAM_BINS, np.int64)
        self._look = Look(protocol.label_set, depth_colors(protocol.depth_range))
        self._account: dict[str, Tally] = {}
        self.rows: list[dict[str, Any]] = []
        self.images = 0

    def add(self, frame: MatchedFrame) -> None:
        """Measure a frame; what is missing or does not fit is counted."""
        self.images += frame.has_image
        if not frame.has_image:
            self.note('came without an image of their stamp', frame.stamp)
        row: dict[str, Any] = {}
        for task in self.tasks:
            prediction, truth = frame.predictions.get(task), frame.truths.get(task)
            if truth is None:
                self.note(f'have no true {task}', frame.stamp)
            elif prediction is None:
                self.note(f'have no predicted {task}', frame.stamp)
            else:
                try:
                    figures = self._measure(task, frame, prediction, truth)
                except HydranetError as error:
                    self.note(f'could not be measured: {error}', frame.stamp)
                    continue
                if figures:
                    row[task] = figures
        if row:
            self.rows.append({'stamp': frame.stamp, **row})

    def note(self, what: str, stamp: int) -> None:
        """Count a frame of which something is to be told."""
        self._account.setdefault(what, Tally()).add(stamp)

    @property
    def account(self) -> dict[str, Tally]:
        """Return what is to be told of frames, as the end of a sentence, and of how many."""
        return self._account

    def running(self) -> dict[str, float]:
        """Return the main figure of each task over all frames so far, by its name."""
        names = {'segmentation': 'mean_iou', 'depth': 'abs_rel', 'normals': 'mean'}
        figures = {task: total.pooled()[names[task]] for task, total in self._totals.items()}
        return {f'{task}/{names[task]}': value for task, value in figures.items()}

    def summary(self) -> dict[str, Any]:
        """Return all figures in plain JSON types."""
        measured = [task for task in self.tasks if self._qualities[task]]
        content: dict[str, Any] = {
            'images': self.images,
            'measured': len(self.rows),
            'account': {what: tally.as_json() for what, tally in sorted(self._account.items())},
            'figures': {
                task: {
                    'truth': 'as recorded',
                    **MEASURES[task].figures(self._totals[task], self.protocol),
                }
                for task in measured
            },
            'frames': self.rows,
        }
        matrix = self._totals.get('segmentation')
        if isinstance(matrix, ConfusionMatrix) and 'segmentation' in measured:
            content['confusion'] = matrix.counts.tolist()
        if 'depth' in measured:
            edges = np.linspace(-HISTOGRAM_LIMIT, HISTOGRAM_LIMIT, HISTOGRAM_BINS + 1)
            content['depth_errors'] = {
                'edges': [round(edge, 6) for edge in edges.tolist()],
                'pixels': self._histogram.tolist(),
            }
        return content

    def pictures(self) -> dict[str, dict[str, FramePicture]]:
        """Return the best, a median and the worst frame of each task."""
        return {
            task: self._pictures[task].chosen(float(np.median(qualities)))
            for task, qualities in self._qualities.items()
            if qualities
        }

    def _measure(
        self, task: str, frame: MatchedFrame, prediction: NDArray, truth: NDArray
    ) -> dict[str, Any]:
        """Add one task of a frame; returns its own figures, empty where none can be."""
        measure = MEASURES[task]
        metric: Any = measure.make(self.protocol)
        metric.update(prediction, truth)
        quality = float(measure.quality(metric))
        if not np.isfinite(quality):
            self.note(f'have a true {task} without a valid pixel', frame.stamp)
            return {}
        total: Any = self._totals[task]
        total.merge(metric)
        self._qualities[task].append(quality)
        if task == 'depth':
            self._count_depth_errors(prediction, truth)
        self._pictures[task].offer(
            frame.stamp,
            quality,
            lambda: draw_frame(task, frame.rgb, prediction, truth, self._look),
        )
        return _row(metric)

    def _count_depth_errors(self, prediction: NDArray, truth: NDArray) -> None:
        """Count relative errors, of the pixels that the metrics count and clipped as there."""
        window = crop_window(self.protocol.crop, *truth.shape)
        prediction, truth = prediction[window], truth[window]
        minimum, maximum = self.protocol.depth_range
        valid = (truth > minimum) & (truth < maximum)
        found = np.clip(np.nan_to_num(prediction[valid], nan=minimum), minimum, maximum)
        errors = np.clip(found / truth[valid] - 1, -HISTOGRAM_LIMIT, HISTOGRAM_LIMIT)
        limits = (-HISTOGRAM_LIMIT, HISTOGRAM_LIMIT)
        self._histogram += np.histogram(errors, HISTOGRAM_BINS, limits)[0]


def _row(metric: Metric) -> dict[str, Any]:
    """Return a frame's own figures, and what the figures of many frames follow from."""
    figures: dict[str, Any] = metric.pooled()
    if isinstance(metric, ConfusionMatrix):
        counts = metric.counts
        figures['hits'] = np.diagonal(counts).tolist()
        figures['true'] = counts.sum(axis=1).tolist()
        figures['found'] = counts[:, : metric.num_classes].sum(axis=0).tolist()
    elif isinstance(metric, DepthMetrics):
        figures['pixels'] = metric.pixels
    return figures
