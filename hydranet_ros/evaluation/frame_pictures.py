# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Small pictures of the best, a median and the worst frame, chosen in constant memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.evaluation.measures import MEASURES
from hydranet_ros.pictures.panels import lay_out, Look

PICTURE_WIDTH = 480
"""Width of each of the four panels, pixels."""
_CANDIDATES = 32
_GAP = 4
_WHITE = (255, 255, 255)


class FramePicture(NamedTuple):
    """The picture of one frame."""

    stamp: int  # nanoseconds
    quality: float  # higher is better
    jpeg: bytes


class PictureKeeper:
    """
    Keeps pictures of the best frame, the worst frame, and up to 32 candidates for the median.

    The median quality is known only at the end; the candidate nearest to it is then shown.
    """

    def __init__(self) -> None:
        self._best: FramePicture | None = None
        self._worst: FramePicture | None = None
        self._spread: list[FramePicture] = []
        self._stride = 1
        self._seen = 0

    def offer(self, stamp: int, quality: float, draw: Callable[[], bytes]) -> None:
        """Draw a frame if its picture may be needed."""
        is_best = self._best is None or quality > self._best.quality
        is_worst = self._worst is None or quality < self._worst.quality
        is_candidate = self._seen % self._stride == 0
        self._seen += 1
        if not (is_best or is_worst or is_candidate):
            return
        picture = FramePicture(stamp, quality, draw())
        self._best = picture if is_best else self._best
        self._worst = picture if is_worst else self._worst
        if is_candidate:
            self._spread.append(picture)
            if len(self._spread) > _CANDIDATES:
                self._spread = self._spread[::2]
                self._stride *= 2

    def chosen(self, median: float) -> dict[str, FramePicture]:
        """
        Return the frames ``best``, ``median`` and ``worst``, each frame once.

        The frame ``median`` is the candidate whose quality is nearest to the argument ``median``.
        """
        if self._best is None or self._worst is None:
            return {}
        middle = min(self._spread, key=lambda each: abs(each.quality - median))
        shown: dict[int, tuple[str, FramePicture]] = {}
        for rank, picture in (('best', self._best), ('worst', self._worst), ('median', middle)):
            shown.setdefault(picture.stamp, (rank, picture))
        ranked = dict(shown.values())
        return {rank: ranked[rank] for rank in ('best', 'median', 'worst') if rank in ranked}


def draw_frame(
    task: str, rgb: RgbImage | None, prediction: NDArray, truth: NDArray, look: Look
) -> bytes:
    """Draw image, ground truth, prediction and mistakes side by side, as JPEG."""
    height, width = truth.shape[:2]
    size = (PICTURE_WIDTH, max(1, round(PICTURE_WIDTH * height / width)))
    # Class ids and depth must not be interpolated.
    small = [
        cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in (prediction, truth)
    ]
    image = np.zeros((size[1], size[0], 3), np.uint8)
    if rgb is not None:
        image = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    panels = MEASURES[task].pictures(image, small[0], small[1], look)
    cells = [panel.picture for panel in panels]
    sheet = cv2.cvtColor(lay_out([cells], gap=_GAP, background=_WHITE), cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
