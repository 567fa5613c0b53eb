# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The log of a training: JSON lines, TensorBoard scalars and pictures."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
import time

import cv2
import numpy as np
from torch.utils.tensorboard import SummaryWriter

from hydranet_ros.data.media import write_image
from hydranet_ros.data.sample import RgbImage, Sample
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.pictures.panels import lay_out
from hydranet_ros.pictures.render import colorize_depth, overlay
from hydranet_ros.runtime.predictor import Prediction

LOG_NAME = 'log.jsonl'
_PICTURE_HEIGHT = 240
_FARTHEST_SHOWN = 80.0


class RateMeter:
    """Measures images per second."""

    def __init__(self) -> None:
        self._began, self._images = time.perf_counter(), 0

    def add(self, images: int) -> None:
        """Count images."""
        self._images += images

    def restart(self) -> float:
        """Return the images per second since the last restart, and count from zero."""
        rate = self._images / (time.perf_counter() - self._began)
        self._began, self._images = time.perf_counter(), 0
        return rate


class Monitor:
    """
    Writes ``log.jsonl``, pictures and TensorBoard events into a directory.

    ``first_step`` is the number of steps done so far: TensorBoard drops what a killed run logged
    after this step. Of several processes, only the ``active`` one writes.
    """

    def __init__(self, directory: Path, first_step: int, active: bool = True) -> None:
        self._log = directory / LOG_NAME
        self._pictures = directory / 'pictures'
        self._writer: SummaryWriter | None = None
        if active:
            self._writer = SummaryWriter(str(directory / 'tensorboard'), purge_step=first_step)

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Log values of a step, under ``group/name``."""
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(f'{group}/{name}', value, step)
        with self._log.open('a', encoding='utf-8') as file:
            file.write(json.dumps({'step': step, 'group': group, **values}) + '\n')

    def picture(self, step: int, name: str, picture: RgbImage) -> None:
        """Log an RGB picture, also as ``pictures/NAME/STEP.png``."""
        if self._writer is not None:
            self._writer.add_image(name, picture, step, dataformats='HWC')
            write_image(self._pictures / name / f'{step:06d}.png', picture)

    def close(self) -> None:
        """Write pending events."""
        if self._writer is not None:
            self._writer.close()


def draw_comparison(
    sample: Sample, prediction: Prediction, depth_range: tuple[float, float]
) -> RgbImage:
    """
    Draw a sample with its predictions above and its ground truth below.

    ``depth_range`` are the ends of the colour map in metres; the upper end is at most 80 m.
    """
    minimum, maximum = depth_range[0], min(depth_range[1], _FARTHEST_SHOWN)
    labels = None if sample.label_set is None else load_label_set(sample.label_set)
    rows = []
    for segmentation, depth, normals in (
        (prediction.labels, prediction.depth, prediction.normals),
        (sample.segmentation, sample.depth, sample.normals),
    ):
        row: list[RgbImage | None] = [sample.image]
        if labels is not None and prediction.labels is not None:
            row.append(
                overlay(sample.image, segmentation, labels) if segmentation is not None else None
            )
        if prediction.depth is not None:
            row.append(colorize_depth(depth, minimum, maximum) if depth is not None else None)
        if prediction.normals is not None:
            row.append(
                np.nan_to_num(127.5 * (normals + 1)).astype(np.uint8)
                if normals is not None
                else None
            )
        rows.append(row)
    picture = lay_out(rows)
    scale = _PICTURE_HEIGHT * len(rows) / picture.shape[0]
    size = (round(picture.shape[1] * scale), _PICTURE_HEIGHT * len(rows))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
