# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth from the camera's own motion: a teacher that is no network.

To a camera that drives straight on, all that stands still moves away from one point of the image,
the focus of expansion (Longuet-Higgins and Prazdny 1980). What is r pixels from there now was r'
pixels from there when the camera was D metres behind, so that its depth is ``Z = D r' / (r - r')``
whatever the focal length. D is told by the road: seen from above, from the known height of the
camera, it shifts by D between the two frames.

For drives on a straight, level road at a steady speed, every frame of them. What moves by itself
(cars) gets a wrong depth or none; leave it out by its labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.teachers.base import Annotation, Frames, Teacher

_CONSISTENT = 0.7
"""Pixels by which flow forth and back may miss the start, in each link of a chain of flows."""
_FLOW_ERROR = 0.5
"""Standard deviation of a chain of flows, pixels."""
_TEXTURE = 4.0
"""Root mean square of the brightness's gradient (Sobel) below which flow is guesswork."""
_CORNERS_TEXTURE = 15.0
"""The same for pixels by which the camera's motion is told."""
_EXAMINED = 24
"""Number of places in a drive where its heading and speed are measured."""
_HEADING_BASELINE = 6
_ADVANCE_BASELINE = 3
_LONGEST_SHIFT = 8.0
"""Metres that the road may shift in ``_ADVANCE_BASELINE`` frames: less than lane marks repeat."""
_VIEW_STEP = 0.05
"""Metres a row of the road seen from above."""
_CLEAR_MATCH = 0.3
"""Correlation of two views of the road from above that are of the same place."""


@dataclass(frozen=True)
class Settings:
    """
    What the file of such a teacher says.

    Attributes
    ----------
    height
        Of the camera above the road, metres.
    baselines
        Frames between those that are compared, before and after each; a depth is their mean,
        weighted by how well each can tell it.
    agreement
        Depth is kept where the baselines differ by at most this share of it, and none would be
        that wrong if the flow was half a pixel wrong.

    """

    height: float
    baselines: tuple[int, ...] = (4, 6, 8, 10)
    agreement: float = 0.15


@dataclass(frozen=True)
class Drive:
    """
    How the camera moves.

    Attributes
    ----------
    heading
        Column and row of the focus of expansion, pixels.
    advance
        Metres a frame.

    """

    heading: tuple[float, float]
    advance: float


class MotionTeacher(Teacher):
    """
    Depth of what stands still, by how it moves through the frames of a drive.

    Raises
    ------
    HydranetError
        If a setting is impossible.

    """

    gives_depth = True

    def __init__(self, settings: Settings) -> None:
        if not settings.height > 0 or min(settings.baselines, default=0) < 1:
            raise HydranetError('Depth from motion needs a height and baselines above zero.')
        self._settings = settings
        self.identity = {'kind': 'motion', **_plain(asdict(settings))}
        self._known: tuple[Frames, _FlowField, Drive] | None = None

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """
        Refuse: one image does not move.

        Raises
        ------
        HydranetError
            Always.

        """
        raise HydranetError('Depth from motion needs all frames of a drive, not single images.')

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        """
        Annotate one frame of a drive.

        Raises
        ------
        HydranetError
            If the focal length is unknown, or the drive's heading or speed cannot be told.

        """
        flows, drive = self._drive(frames)
        fx = _focal_length(frames, index)
        opinions = []
        for baseline in self._settings.baselines:
            for offset in (-baseline, baseline):
                if 0 <= index + offset < len(frames):
                    displacement, trusted = flows.between(index, index + offset)
                    trusted &= flows.texture(index) > _TEXTURE
                    displacement = without_rotation(
                        displacement,
                        trusted & (flows.texture(index) > _CORNERS_TEXTURE),
                        drive.heading,
                        fx,
                    )
                    opinions.append(
                        inverse_depth(
                            displacement, trusted, drive.heading, -offset * drive.advance
                        )
                    )
        return Annotation(depth=_agreed(opinions, self._settings.agreement, flows.shape))

    def _drive(self, frames: Frames) -> tuple[_FlowField, Drive]:
        if self._known is None or self._known[0] is not frames:
            flows = _FlowField(frames)
            heading = find_heading(flows, frames)
            advance = find_advance(
                flows, frames, heading, _focal_length(frames, 0), self._settings.height
            )
            self._known = frames, flows, Drive(heading, advance)
        return self._known[1:]


load = MotionTeacher


def without_rotation(
    displacement: NDArray[np.float32],
    reliable: NDArray[np.bool_],
    heading: tuple[float, float],
    fx: float,
) -> NDArray[np.float32]:
    """
    Return the displacement as if the camera had not turned.

    What is left has to point to or from the heading: the turn is what makes the reliable pixels
    do so, by weighted least squares that leave out what moves by itself.

    Parameters
    ----------
    displacement
        Shape (height, width, 2): columns and rows that each pixel moved.
    reliable
        Shape (height, width): pixels to tell the turn by.
    heading
        Focus of expansion, pixels; taken for the principal point, too.
    fx
        Focal length, pixels.

    """
    x, y = _from_heading(reliable.shape, heading)
    # Displacement by small turns about the camera's three axes (pixels by radian).
    turning = np.stack(
        [
            np.stack([x * y / fx, fx + y * y / fx], -1),
            np.stack([-fx - x * x / fx, -x * y / fx], -1),
            np.stack([y, -x], -1),
        ]
    )
    sparse = np.zeros_like(reliable)
    sparse[4::8, 4::8] = True
    chosen = sparse & reliable
    if chosen.sum() < 50:
        return displacement
    across = np.stack([-y, x], -1)[chosen]
    distance = np.hypot(x, y)[chosen] + 20.0
    seen = np.sum(displacement[chosen] * across, -1) / distance
    caused = np.stack([np.sum(part[chosen] * across, -1) / distance for part in turning], -1)
    weights = np.ones_like(seen)
    for _ in range(15):
        turn = np.linalg.lstsq(caused * weights[:, None], seen * weights, rcond=None)[0]
        residual = caused @ turn - seen
        scale = 1.48 * np.median(np.abs(residual)) + 0.02
        weights = 1 / np.sqrt(1 + (residual / scale) ** 4)
    return displacement - np.tensordot(turn.astype(np.float32), turning, 1)


def inverse_depth(
    displacement: NDArray[np.float32],
    trusted: NDArray[np.bool_],
    heading: tuple[float, float],
    distance: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Return what the displacement by a camera that does not turn says of depth.

    Parameters
    ----------
    displacement
        Shape (height, width, 2), pixels, to the frame of the other camera.
    trusted
        Shape (height, width): where it is known.
    heading
        Focus of expansion, pixels.
    distance
        Metres by which the other camera is behind; negative if it is in front.

    Returns
    -------
    tuple
        One over depth and its standard deviation, both per metre; infinite deviation where
        nothing is known or a pixel moves as nothing does that stands still.

    """
    x, y = _from_heading(trusted.shape, heading)
    radius = np.maximum(np.hypot(x, y), 1e-3)
    outwards = (displacement[..., 0] * x + displacement[..., 1] * y) / radius
    across = (displacement[..., 1] * x - displacement[..., 0] * y) / radius
    before = np.maximum(radius + outwards, 1e-3)
    inverse = (radius / before - 1) / distance
    deviation = _FLOW_ERROR * radius / before**2 / abs(distance)
    still = trusted & (np.abs(across) < 1 + 0.02 * np.abs(outwards)) & (radius > 8)
    return inverse.astype(np.float32), np.where(still, deviation, np.inf).astype(np.float32)


def find_heading(flows: _FlowField, frames: Frames) -> tuple[float, float]:
    """
    Return the focus of expansion of a drive, in pixels.

    The median over places in it, by the five-point algorithm (Nister 2004). It is a property of
    how the camera is mounted, so that one holds for all frames.

    Raises
    ------
    HydranetError
        If the drive is too short or does not show.

    """
    height, width = flows.shape
    found = []
    for index in _places(frames, _HEADING_BASELINE):
        displacement, trusted = flows.between(index, index - _HEADING_BASELINE)
        chosen = np.zeros_like(trusted)
        chosen[8::12, 8::12] = True
        chosen &= trusted & (flows.texture(index) > _CORNERS_TEXTURE)
        chosen &= np.hypot(*np.moveaxis(displacement, -1, 0)) > 0.5
        v, u = np.nonzero(chosen)
        now = np.stack([u, v], -1).astype(np.float64)
        then = now + displacement[chosen]
        fx = _focal_length(frames, index)
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


def find_advance(
    flows: _FlowField, frames: Frames, heading: tuple[float, float], fx: float, height: float
) -> float:
    """
    Return how far the camera moves in a frame, in metres.

    The road's plane is laid out as seen from above (inverse perspective mapping); the shift along
    the road at which two views match best is how far the camera went between them. The median
    over places in the drive.

    Parameters
    ----------
    flows, frames
        The drive.
    heading
        Focus of expansion, pixels; the horizon of a level road is in its row.
    fx
        Focal length, pixels.
    height
        Of the camera above the road, metres.

    Raises
    ------
    HydranetError
        If the views do not match clearly.

    """
    column, row = heading
    below = 0.95 * flows.shape[0] - row
    if below < 20:
        raise HydranetError('The frames show no road below the point that the camera moves to.')
    nearest, farthest = fx * height / below, fx * height / (0.18 * below)
    along = np.arange(nearest, farthest, _VIEW_STEP)[:, None]
    across = np.linspace(-2.5, 2.5, 256)[None] * height
    rows = np.broadcast_to(row + fx * height / along, (len(along), 256)).astype(np.float32)
    columns = (column + fx * across / along).astype(np.float32)

    def from_above(index: int) -> NDArray[np.float32]:
        view = cv2.remap(flows.grey(index), columns, rows, cv2.INTER_LINEAR).astype(np.float32)
        # What is the same all along the road, such as edge lines, tells nothing of shifts.
        view -= cv2.blur(view, (1, 2 * (len(view) // 5) + 1))
        view -= cv2.GaussianBlur(view, (0, 0), 12)
        # Marks are brighter than the road; shadows move with the car.
        return np.clip(view, -10, 40)

    shifts = range(max(1, round(0.3 / _VIEW_STEP)), round(_LONGEST_SHIFT / _VIEW_STEP))
    found, matches = [], []
    for index in _places(frames, _ADVANCE_BASELINE):
        now, then = from_above(index), from_above(index - _ADVANCE_BASELINE)
        correlation = [_correlation(now[:-shift], then[shift:]) for shift in shifts]
        best = int(np.argmax(correlation))
        found.append(shifts[best] * _VIEW_STEP / _ADVANCE_BASELINE)
        # No match within the range shows as a best one at its end: of a car that stands, say.
        matches.append(correlation[best] if 0 < best < len(shifts) - 1 else 0.0)
    if not found or np.median(matches) < _CLEAR_MATCH:
        raise HydranetError(
            'The road does not show how fast the camera moves; depth from motion needs every '
            'frame of a drive on a road with marks.'
        )
    return float(np.median(found))


class _FlowField:
    """Optical flow between the frames of a drive; remembers what neighbouring frames share."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setFinestScale(0)
        self._greys: dict[int, NDArray[np.uint8]] = {}
        self._links: dict[tuple[int, int], NDArray[np.float32]] = {}
        self.shape = self.grey(0).shape
        rows, columns = self.shape
        self._columns, self._rows = np.meshgrid(
            np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
        )

    def grey(self, index: int) -> NDArray[np.uint8]:
        """Return a frame without its colours."""
        return _remembered(self._greys, index, self._read_grey)

    def texture(self, index: int) -> NDArray[np.float32]:
        """Return how much texture there is about each pixel."""
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
            forth = self._link(index, index + step)
            back = self._carried(self._link(index + step, index), forth)
            miss = np.linalg.norm(forth + back, axis=-1)
            # Outside the frame nothing is known.
            missed = cv2.remap(
                miss, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=np.inf
            )
            trusted &= missed < _CONSISTENT
            total = total + cv2.remap(
                forth, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        return total, trusted

    def _carried(
        self, values: NDArray[np.float32], displacement: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        there = self._columns + displacement[..., 0], self._rows + displacement[..., 1]
        carried = cv2.remap(values, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(carried, np.float32)

    def _link(self, start: int, end: int) -> NDArray[np.float32]:
        return _remembered(self._links, (start, end), self._compute_link)

    def _compute_link(self, ends: tuple[int, int]) -> NDArray[np.float32]:
        start, end = (self.grey(index) for index in ends)
        flow = np.zeros((*start.shape, 2), np.float32)
        return np.asarray(self._flow.calc(start, end, flow), np.float32)

    def _read_grey(self, index: int) -> NDArray[np.uint8]:
        grey = cv2.cvtColor(self._frames.rgb(index), cv2.COLOR_RGB2GRAY)
        if self._greys and grey.shape != self.shape:
            raise HydranetError(
                f'{self._frames.name(index)} is of another size than the first frame of its drive.'
            )
        return np.asarray(grey, np.uint8)


def _remembered(memory: dict[Any, Any], key: Any, make: Callable[[Any], Any]) -> Any:
    """Return what is remembered of a key or made now, and forget the oldest of many."""
    if key not in memory:
        if len(memory) >= 64:
            del memory[next(iter(memory))]
        memory[key] = make(key)
    return memory[key]


def _agreed(
    opinions: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    agreement: float,
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the depth of at least two opinions that agree, NaN elsewhere."""
    depth = np.full(shape, np.nan, np.float32)
    if len(opinions) < 2:
        return depth
    inverse, deviation = (np.stack(parts) for parts in zip(*opinions, strict=True))
    weights = deviation**-2
    total = np.maximum(weights.sum(0), 1e-12)
    mean = (weights * inverse).sum(0) / total
    spread = np.sqrt((weights * (inverse - mean) ** 2).sum(0) / total)
    unsure = np.maximum(spread, deviation.min(0))
    several = np.isfinite(deviation).sum(0) >= 2
    known = several & (mean > 0) & (unsure < agreement * mean)
    depth[known] = 1 / mean[known]
    return depth


def _places(frames: Frames, baseline: int) -> Iterator[int]:
    """Yield frames spread over a drive that have one ``baseline`` frames before them."""
    count = min(_EXAMINED, max(len(frames) - baseline, 0))
    yield from np.linspace(baseline, len(frames) - 1, count).round().astype(int).tolist()


def _from_heading(
    shape: tuple[int, ...], heading: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return columns and rows from the heading, broadcast to the image's shape."""
    x = np.arange(shape[1], dtype=np.float32)[None] - np.float32(heading[0])
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(heading[1])
    return np.broadcast_to(x, shape[:2]), np.broadcast_to(y, shape[:2])


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    size = np.sqrt(float(np.sum(one * one)) * float(np.sum(other * other)))
    return float(np.sum(one * other)) / max(size, 1e-9)


def _focal_length(frames: Frames, index: int) -> float:
    fx = frames.fx(index)
    if fx is None:
        raise HydranetError(
            f'{frames.name(index)} has no focal length, which depth from motion needs; add '
            '`intrinsics` to its dataset file.'
        )
    return fx


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in settings.items()}
