# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure frames one by one, from a recording or from a running node.

The evaluation keeps sums over all frames, one row of figures per frame, and a few pictures. Its
memory grows by a few hundred bytes per frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.accumulator import Accumulator
from hydranet_ros.evaluation.figures import figures_of
from hydranet_ros.evaluation.frame_pictures import draw_frame, FramePicture, PictureKeeper
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.evaluation.metrics import ConfusionMatrix, DepthMetrics
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.pictures.panels import depth_colors, Look

HISTOGRAM_LIMIT = 1.0
"""Relative depth error at the ends of the histogram; larger errors are clipped to this."""
HISTOGRAM_BINS = 40
_NAMED = 20  # stamps that are kept for each problem; further frames are only counted


@dataclass(frozen=True, eq=False)
class MatchedFrame:
    """Predictions and ground truth of one image."""

    stamp: int  # of the image, nanoseconds since the epoch
    has_image: bool  # whether the image itself was received
    predictions: Mapping[str, NDArray]  # by task; missing predictions are left out
    truths: Mapping[str, NDArray]
    rgb: RgbImage | None = None  # for pictures


@dataclass
class Tally:
    """The number of frames with a problem, and the stamps of the first ones."""

    count: int = 0
    stamps: list[int] = field(default_factory=list)

    def add(self, stamp: int) -> None:
        """Count a frame."""
        self.count += 1
        if len(self.stamps) < _NAMED:
            self.stamps.append(stamp)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types; stamps are strings of seconds with nine decimals."""
        stamps = [f'{stamp // NANOSECONDS}.{stamp % NANOSECONDS:09d}' for stamp in self.stamps]
        return {'count': self.count, 'stamps': stamps}


class FrameEvaluation:
    """The evaluation of one pass over a recording, or of a running node."""

    def __init__(self, tasks: Sequence[str], protocol: EvaluationProtocol) -> None:
        self.tasks = tuple(tasks)
        self.protocol = protocol
        origins = dict.fromkeys(tasks, 'as recorded')
        self._sums = Accumulator(tasks, replace(protocol, origins=origins))
        self._pictures = {task: PictureKeeper() for task in tasks}
        self._histogram = np.zeros(HISTOGRAM_BINS, np.int64)
        self._look = Look(protocol.label_set, depth_colors(protocol.depth_range))
        self.account: dict[str, Tally] = {}
        """The frames that have each problem; the keys are predicates ("have no true depth")."""
        self.rows: list[dict[str, Any]] = []
        self.images = 0

    def add(self, frame: MatchedFrame) -> None:
        """Measure a frame, and count missing and unusable parts."""
        self.images += frame.has_image
        if not frame.has_image:
            self.note('have no image with their stamp', frame.stamp)
        row: dict[str, Any] = {}
        for task in self.tasks:
            prediction, truth = frame.predictions.get(task), frame.truths.get(task)
            if truth is None:
                self.note(f'have no true {task}', frame.stamp)
            elif prediction is None:
                self.note(f'have no predicted {task}', frame.stamp)
            else:
                try:
                    result = self._sums.add(task, prediction, truth)
                except HydranetError as error:
                    self.note(f'could not be measured: {error}', frame.stamp)
                    continue
                if result is None:
                    self.note(f'have a true {task} without a valid pixel', frame.stamp)
                    continue
                row[task] = {**result.metric.pooled(), **result.metric.sums()}
                picture = partial(draw_frame, task, frame.rgb, prediction, truth, self._look)
                self._pictures[task].offer(frame.stamp, result.quality, picture)
                if isinstance(result.metric, DepthMetrics):
                    self._count_depth_errors(result.metric, prediction, truth)
        if row:
            self.rows.append({'stamp': frame.stamp, **row})

    def note(self, what: str, stamp: int) -> None:
        """Count a frame with a problem."""
        self.account.setdefault(what, Tally()).add(stamp)

    def running(self) -> dict[str, float]:
        """Return the main figure of each task over all frames so far, by ``task/figure``."""
        mains = {task: figures_of(task)[0].name for task in self.tasks}
        totals = self._sums.totals
        return {f'{task}/{name}': totals[task].pooled()[name] for task, name in mains.items()}

    def summary(self) -> dict[str, Any]:
        """Return all results except pictures, in plain JSON types."""
        figures = self._sums.figures()
        content: dict[str, Any] = {
            'images': self.images,
            'measured': len(self.rows),
            'account': {what: tally.as_json() for what, tally in sorted(self.account.items())},
            'figures': figures,
            'frames': self.rows,
        }
        matrix = self._sums.totals.get('segmentation')
        if isinstance(matrix, ConfusionMatrix) and 'segmentation' in figures:
            content['confusion'] = matrix.counts.tolist()
        if 'depth' in figures:
            edges = np.linspace(-HISTOGRAM_LIMIT, HISTOGRAM_LIMIT, HISTOGRAM_BINS + 1)
            content['depth_errors'] = {
                'edges': [round(edge, 6) for edge in edges.tolist()],
                'pixels': self._histogram.tolist(),
            }
        return content

    def pictures(self) -> dict[str, dict[str, FramePicture]]:
        """Return pictures of the best, a median and the worst frame of each task."""
        return {
            task: self._pictures[task].chosen(float(np.median(qualities)))
            for task, qualities in self._sums.qualities.items()
            if qualities
        }

    def _count_depth_errors(
        self, metrics: DepthMetrics, prediction: NDArray, truth: NDArray
    ) -> None:
        found, true = metrics.counted(prediction, truth)
        found = np.clip(
            np.nan_to_num(found, nan=metrics.minimum), metrics.minimum, metrics.maximum
        )
        limits = (-HISTOGRAM_LIMIT, HISTOGRAM_LIMIT)
        errors = np.clip(found / true - 1, *limits)
        self._histogram += np.histogram(errors, HISTOGRAM_BINS, limits)[0]
