# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The motion of a camera on a car: its heading in the image, and its advance per frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.base import Frames
from hydranet_ros.training.distillation.teachers.optical_flow import FlowField

CORNERS_TEXTURE = 15.0
"""Minimum root mean square of the brightness gradient (Sobel), for pixels that show motion."""
_EXAMINED = 24
"""Number of frames of a drive at which heading and advance are measured."""
_HEADING_BASELINE = 6
_ADVANCE_BASELINE = 3
_LONGEST_SHIFT = 8.0
"""Largest shift over ``_ADVANCE_BASELINE`` frames, metres; at larger shifts, lane marks repeat."""
_VIEW_STEP = 0.05
"""Metres per row of the road seen from above."""
_CLEAR_MATCH = 0.3
"""Minimum correlation of two views from above that show the same place."""


@dataclass(frozen=True)
class Drive:
    """The camera's motion."""

    heading: tuple[float, float]  # column and row of the focus of expansion, pixels
    advance: float  # metres per frame


def watch(flows: FlowField, height: float) -> Drive:
    """Measure the motion of a camera that is ``height`` metres above the road."""
    heading = find_heading(flows)
    return Drive(heading, find_advance(flows, heading, height))


def find_heading(flows: FlowField) -> tuple[float, float]:
    """
    Return the focus of expansion of a drive, in pixels.

    The five-point algorithm (Nister 2004) is applied to several frames; the result is the median.
    The focus of expansion depends on how the camera is mounted, so it is the same for all frames.
    """
    height, width = flows.shape
    found = []
    for index in _places(len(flows.frames), _HEADING_BASELINE):
        displacement, trusted = flows.between(index, index - _HEADING_BASELINE)
        chosen = np.zeros_like(trusted)
        chosen[8::12, 8::12] = True
        chosen &= trusted & (flows.texture(index) > CORNERS_TEXTURE)
        chosen &= np.hypot(*np.moveaxis(displacement, -1, 0)) > 0.5
        v, u = np.nonzero(chosen)
        now = np.stack([u, v], -1).astype(np.float64)
        then = now + displacement[chosen]
        fx = focal_length(flows.frames, index)
        camera = np.array([[fx, 0, width / 2], [0, fx, height / 2], [0, 0, 1]])
        if len(now) < 20:
            continue
        essential, inliers = cv2.findEssentialMat(now, then, camera, cv2.RANSAC, 0.999, 0.7)
        if essential is None or essential.shape != (3, 3):
            continue
        _, rotation, translation, _ = cv2.recoverPose(essential, now, then, camera, mask=inliers)
        toward = camera @ (rotation.T @ translation[:, 0])
        if abs(toward[2]) > 1e-6:
            found.append(toward[:2] / toward[2])
    if not found:
        raise HydranetError(
            'The frames do not show which way the camera moves; depth from motion needs every '
            'frame of a drive with texture beside the road.'
        )
    column, row = np.median(found, axis=0)
    return float(column), float(row)


def find_advance(flows: FlowField, heading: tuple[float, float], height: float) -> float:
    """
    Return how far the camera moves per frame, in metres.

    Frames are warped to a view of the road from above (inverse perspective mapping). The shift
    along the road that matches two views best is the distance driven between them. The result is
    the median over several frames.

    Parameters
    ----------
    heading
        Focus of expansion, pixels; its row is the horizon of a level road.
    height
        Height of the camera above the road, metres.

    """
    column, row = heading
    fx = focal_length(flows.frames, 0)
    below = 0.95 * flows.shape[0] - row
    if below < 20:
        raise HydranetError('The frames show no road below the focus of expansion.')
    nearest, farthest = fx * height / below, fx * height / (0.18 * below)
    along = np.arange(nearest, farthest, _VIEW_STEP)[:, None]
    across = np.linspace(-2.5, 2.5, 256)[None] * height
    rows = np.broadcast_to(row + fx * height / along, (len(along), 256)).astype(np.float32)
    columns = (column + fx * across / along).astype(np.float32)

    def from_above(index: int) -> NDArray[np.float32]:
        view = cv2.remap(flows.grey(index), columns, rows, cv2.INTER_LINEAR).astype(np.float32)
        # Remove what does not change along the road, such as edge lines: it shows no shift.
        view -= cv2.blur(view, (1, 2 * (len(view) // 5) + 1))
        view -= cv2.GaussianBlur(view, (0, 0), 12)
        # Clip dark values: marks are brighter than the road, and shadows move with the car.
        return np.clip(view, -10, 40)

    shifts = range(max(1, round(0.3 / _VIEW_STEP)), round(_LONGEST_SHIFT / _VIEW_STEP))
    found = []
    places = _places(len(flows.frames), _ADVANCE_BASELINE)
    for index in places:
        now, then = from_above(index), from_above(index - _ADVANCE_BASELINE)
        correlation = [_correlation(now[:-shift], then[shift:]) for shift in shifts]
        best = int(np.argmax(correlation))
        # A best shift at an end of the range is not a match, e.g. when the car stands.
        if 0 < best < len(shifts) - 1 and correlation[best] > _CLEAR_MATCH:
            found.append(shifts[best] * _VIEW_STEP / _ADVANCE_BASELINE)
    if len(found) < len(places) / 2:
        raise HydranetError(
            'The road does not show how fast the camera moves; depth from motion needs every '
            'frame of a drive on a road with marks.'
        )
    return float(np.median(found))


def focal_length(frames: Frames, index: int) -> float:
    """Return the focal length of a frame in pixels; raises HydranetError if it is unknown."""
    fx = frames.fx(index)
    if fx is None:
        raise HydranetError(
            f'{frames.name(index)} has no focal length, which depth from motion needs; add '
            '`intrinsics` to its dataset file.'
        )
    return fx


def _places(frames: int, baseline: int) -> list[int]:
    """Return indices of frames spread over a drive; the first index is ``baseline``."""
    count = min(_EXAMINED, max(frames - baseline, 0))
    places: list[int] = np.linspace(baseline, frames - 1, count).round().astype(int).tolist()
    return places


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    size = np.sqrt(float(np.sum(one * one)) * float(np.sum(other * other)))
    return float(np.sum(one * other)) / max(size, 1e-9)
