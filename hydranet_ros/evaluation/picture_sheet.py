# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One picture of the best, median and worst images of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hydranet_ros.data.sample import Dataset, RgbImage
from hydranet_ros.evaluation.dataset_evaluation import (
    Evaluation,
    ImagePredictor,
    ImageScore,
)
from hydranet_ros.evaluation.figures import quality_text
from hydranet_ros.evaluation.measures import MEASURES
from hydranet_ros.pictures.panels import banner, lay_out, legends, Look, named, Panel, scaled

PANEL_WIDTH = 400
_GAP = 6


def picture_sheet(
    evaluation: Evaluation,
    predictor: ImagePredictor,
    dataset: Dataset,
    look: Look,
    title: str,
) -> RgbImage:
    """
    Draw the best, the median and the worst image of each task, as H×W×3 RGB.

    Each row shows the image, the ground truth, the prediction and the prediction's mistakes. The
    images are read and predicted again, since the evaluation does not keep them.
    """
    parts: list[RgbImage] = []
    for task, scores in evaluation.ranking.items():
        lines = []
        for rank, score in chosen(scores):
            panels = _panels(task, score, predictor, dataset, look)
            caption = f'{rank}: {quality_text(task, score.quality)}'
            panels[0] = Panel(caption, panels[0].picture)
            lines.append([named(Panel(p.name, scaled(p.picture, PANEL_WIDTH))) for p in panels])
        body = lay_out(lines, gap=_GAP)
        width = body.shape[1]
        parts += [banner(width, title, task), body]
        parts.append(legends([task], look, width))
    return np.concatenate(parts)


def chosen(scores: Sequence[ImageScore]) -> list[tuple[str, ImageScore]]:
    """Return the best, the median and the worst of ranked images, each image once."""
    places = {'best': 0, 'median': (len(scores) - 1) // 2, 'worst': len(scores) - 1}
    picked: dict[int, str] = {}
    for rank, place in places.items():
        picked.setdefault(place, rank)
    return [(rank, scores[place]) for place, rank in picked.items()]


def _panels(
    task: str, score: ImageScore, predictor: ImagePredictor, dataset: Dataset, look: Look
) -> list[Panel]:
    sample = dataset.load(score.index)
    prediction = predictor.predict(sample.image, sample.fx)
    measure = MEASURES[task]
    found = getattr(prediction, measure.field)
    return measure.pictures(sample.image, found, getattr(sample, task), look)
