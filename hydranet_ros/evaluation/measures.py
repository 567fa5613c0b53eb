# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How each task is measured: `MEASURES`, with the same keys as ``tasks.TASKS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.evaluation.metrics import ConfusionMatrix, DepthMetrics, NormalsMetrics
from hydranet_ros.model.labels import LabelSet
from hydranet_ros.pictures.panels import Look, Panel, result_panels

Metric: TypeAlias = ConfusionMatrix | DepthMetrics | NormalsMetrics

WORST_DEPTH_ERROR = 0.5
"""Relative depth error at which pixels in pictures of mistakes reach full brightness."""
WORST_ANGLE = 60.0
"""Angle in degrees at which pixels in pictures of mistakes reach full brightness."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """Which pixels are measured, and against which labels."""

    label_set: LabelSet | None = None  # of the ground truth; None without segmentation
    depth_range: tuple[float, float] = (1e-3, 80.0)  # true depths that are measured, metres
    crop: str | None = None  # where depth is measured, one of crops.CROPS
    origins: Mapping[str, str] = field(default_factory=dict)
    """
    Origin of each task's ground truth: human, measured or distilled. Figures on distilled ground
    truth only show agreement with the teacher.
    """


@dataclass(frozen=True)
class Measure:
    """How one task is measured."""

    field: str  # field of Prediction
    make: Callable[[EvaluationProtocol], Metric]  # returns an empty metric
    figures: Callable[
        [Any, EvaluationProtocol], dict[str, Any]
    ]  # all figures, in plain JSON types
    mistakes: Callable[[RgbImage, NDArray, NDArray, Look], RgbImage]
    """Draws where a prediction is wrong, given the image, the prediction and the ground truth."""

    def pictures(
        self, rgb: RgbImage, prediction: NDArray, truth: NDArray, look: Look
    ) -> list[Panel]:
        """Draw the image, the ground truth, the prediction and the mistakes of the prediction."""
        drawn = [result_panels(rgb, {self.field: each}, look)[0] for each in (truth, prediction)]
        return [
            Panel('image', rgb),
            Panel('truth', drawn[0].picture),
            Panel('prediction', drawn[1].picture),
            Panel('mistakes', self.mistakes(rgb, prediction, truth, look)),
        ]


def _confusion_matrix(protocol: EvaluationProtocol) -> ConfusionMatrix:
    assert protocol.label_set is not None
    return ConfusionMatrix(protocol.label_set.size, protocol.label_set.ignore_id)


def _segmentation_figures(matrix: ConfusionMatrix, protocol: EvaluationProtocol) -> dict[str, Any]:
    assert protocol.label_set is not None
    pixels = matrix.counts.sum(axis=1)
    shares = pixels / max(pixels.sum(), 1)
    columns = (matrix.iou().tolist(), matrix.accuracy().tolist(), shares.tolist())
    return {
        'label_set': protocol.label_set.name,
        **matrix.pooled(),
        'classes': {
            name: {'iou': iou, 'accuracy': accuracy, 'share': share}
            for name, iou, accuracy, share in zip(
                protocol.label_set.classes, *columns, strict=True
            )
        },
    }


def _segmentation_mistakes(rgb: RgbImage, labels: NDArray, truth: NDArray, look: Look) -> RgbImage:
    assert look.label_set is not None
    picture = rgb // 3
    unlabelled = truth == look.label_set.ignore_id
    picture[(labels != truth) & ~unlabelled] = (230, 40, 40)
    picture[unlabelled] = 0
    return picture


def _depth_figures(metrics: DepthMetrics, protocol: EvaluationProtocol) -> dict[str, Any]:
    return {
        'range': list(protocol.depth_range),
        'crop': protocol.crop,
        'images': metrics.images,
        'pixels': metrics.pixels,
        **metrics.pooled(),
        'mean_of_images': metrics.per_image(),
    }


def _depth_mistakes(_rgb: RgbImage, depth: NDArray, truth: NDArray, _look: Look) -> RgbImage:
    known = np.isfinite(truth) & (truth > 0)
    relative = np.zeros(truth.shape, np.float32)
    relative[known] = np.abs(np.nan_to_num(depth[known]) - truth[known]) / truth[known]
    return _heat(relative / WORST_DEPTH_ERROR, known)


def _normals_mistakes(_rgb: RgbImage, normals: NDArray, truth: NDArray, _look: Look) -> RgbImage:
    known = np.isfinite(truth).all(axis=-1)
    cosine = np.clip(np.sum(normals * np.nan_to_num(truth), axis=-1), -1, 1)
    return _heat(np.degrees(np.arccos(cosine)) / WORST_ANGLE, known)


def _heat(error: NDArray, known: NDArray[np.bool_]) -> RgbImage:
    """Colour errors from 0 (dark) to 1 (bright); unknown pixels are black."""
    level = np.round(255 * np.clip(error, 0, 1)).astype(np.uint8)
    colors = np.asarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), np.uint8)[..., ::-1].copy()
    colors[~known] = 0
    return colors


MEASURES: Mapping[str, Measure] = {
    'segmentation': Measure(
        field='labels',
        make=_confusion_matrix,
        figures=_segmentation_figures,
        mistakes=_segmentation_mistakes,
    ),
    'depth': Measure(
        field='depth',
        make=lambda protocol: DepthMetrics(*protocol.depth_range, protocol.crop),
        figures=_depth_figures,
        mistakes=_depth_mistakes,
    ),
    'normals': Measure(
        field='normals',
        make=lambda _: NormalsMetrics(),
        figures=lambda metrics, _: metrics.pooled(),
        mistakes=_normals_mistakes,
    ),
}
"""How each task is measured, by task name."""
