# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Optical flow through the frames of a video."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.base import Frames

_CONSISTENT = 0.7
"""Largest forward-backward error of the flow from a frame to the next, in pixels."""
_REMEMBERED = 64


class FlowField:
    """
    Dense flow between frames of one size, by Dense Inverse Search (Kroeger et al. 2016).

    Flow from each frame to the next is chained, which covers larger motion than a single search.
    Results that neighbouring frames share are cached.
    """

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setFinestScale(0)
        self._greys: dict[int, NDArray[np.uint8]] = {}
        self._links: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._misses: dict[tuple[int, int], NDArray[np.float32]] = {}
        self.shape = self.grey(0).shape
        rows, columns = self.shape
        self._columns, self._rows = np.meshgrid(
            np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
        )

    def grey(self, index: int) -> NDArray[np.uint8]:
        """Return a frame in grey."""
        return _remembered(self._greys, index, self._read_grey)

    def texture(self, index: int) -> NDArray[np.float32]:
        """Return the root mean square of the brightness gradient around each pixel."""
        grey = self.grey(index)
        slopes = [cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1))]
        return np.sqrt(cv2.boxFilter(slopes[0] ** 2 + slopes[1] ** 2, -1, (9, 9)))

    def between(self, start: int, end: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the displacement from one frame to another, and where it can be trusted."""
        step = 1 if end > start else -1
        total = np.zeros((*self.shape, 2), np.float32)
        trusted = np.ones(self.shape, bool)
        for index in range(start, end, step):
            there = self._columns + total[..., 0], self._rows + total[..., 1]
            # Outside the frame, flow is unknown.
            missed = cv2.remap(
                self._miss(index, index + step),
                *there,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=np.inf,
            )
            trusted &= missed < _CONSISTENT
            total = total + self._carried(self._link(index, index + step), total)
        return total, trusted

    def _carried(
        self, values: NDArray[np.float32], displacement: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        there = self._columns + displacement[..., 0], self._rows + displacement[..., 1]
        carried = cv2.remap(values, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(carried, np.float32)

    def _link(self, start: int, end: int) -> NDArray[np.float32]:
        return _remembered(self._links, (start, end), self._compute_link)

    def _miss(self, start: int, end: int) -> NDArray[np.float32]:
        """Return the forward-backward error in pixels."""
        return _remembered(self._misses, (start, end), self._compute_miss)

    def _compute_miss(self, ends: tuple[int, int]) -> NDArray[np.float32]:
        start, end = ends
        forth = self._link(start, end)
        miss = np.linalg.norm(forth + self._carried(self._link(end, start), forth), axis=-1)
        return np.asarray(miss, np.float32)

    def _compute_link(self, ends: tuple[int, int]) -> NDArray[np.float32]:
        start, end = (self.grey(index) for index in ends)
        flow = np.zeros((*start.shape, 2), np.float32)
        return np.asarray(self._flow.calc(start, end, flow), np.float32)

    def _read_grey(self, index: int) -> NDArray[np.uint8]:
        grey = cv2.cvtColor(self.frames.rgb(index), cv2.COLOR_RGB2GRAY)
        if self._greys and grey.shape != self.shape:
            raise HydranetError(
                f'{self.frames.name(index)} differs in size from the first frame of its video.'
            )
        return np.asarray(grey, np.uint8)


def _remembered(memory: dict[Any, Any], key: Any, make: Callable[[Any], Any]) -> Any:
    """Return the cached value of a key; makes it if missing, and drops the oldest if full."""
    if key not in memory:
        if len(memory) >= _REMEMBERED:
            del memory[next(iter(memory))]
        memory[key] = make(key)
    return memory[key]
