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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.base import Annotation, Frames, Teacher
from hydranet_ros.training.distillation.teachers.camera_motion import (
    CORNERS_TEXTURE,
    Drive,
    focal_length,
    watch,
)
from hydranet_ros.training.distillation.teachers.optical_flow import FlowField

_FLOW_ERROR = 0.5
"""Standard deviation of a chain of flows, pixels."""
_TEXTURE = 4.0
"""Root mean square of the brightness's gradient (Sobel) below which flow is guesswork."""
_ENOUGH_PIXELS = 50
"""Pixels from which the camera's turn is told, of a grid of every eighth."""


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
        Depth is kept where the baselines differ by at most this share of it, and the surest of
        them would not be that wrong by a flow that is half a pixel wrong.

    """

    height: float
    baselines: tuple[int, ...] = (4, 6, 8, 10)
    agreement: float = 0.15


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
        self.identity = {
            'kind': 'motion',
            'height': settings.height,
            'baselines': list(settings.baselines),
            'agreement': settings.agreement,
        }
        self._known: tuple[FlowField, Drive] | None = None

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
        fx = focal_length(frames, index)
        texture = flows.texture(index)
        opinions = []
        for baseline in self._settings.baselines:
            for offset in (-baseline, baseline):
                if 0 <= index + offset < len(frames):
                    displacement, trusted = flows.between(index, index + offset)
                    trusted &= texture > _TEXTURE
                    straight = without_rotation(
                        displacement, trusted & (texture > CORNERS_TEXTURE), drive.heading, fx
                    )
                    if straight is not None:
                        distance = -offset * drive.advance
                        opinions.append(inverse_depth(straight, trusted, drive.heading, distance))
        return Annotation(
            depth=_agreed(opinions, self._settings.agreement, flows.shape),
            about={'heading': list(drive.heading), 'advance': drive.advance},
        )

    def inputs(self, frames: Frames) -> dict[str, str]:
        """Return a hash of the whole drive, all of which any of its depths depends on."""
        return {'frames': frames.digest()}

    def _drive(self, frames: Frames) -> tuple[FlowField, Drive]:
        if self._known is None or self._known[0].frames is not frames:
            flows = FlowField(frames)
            self._known = flows, watch(flows, self._settings.height)
        return self._known


load = MotionTeacher


def without_rotation(
    displacement: NDArray[np.float32],
    reliable: NDArray[np.bool_],
    heading: tuple[float, float],
    fx: float,
) -> NDArray[np.float32] | None:
    """
    Return the displacement as if the camera had not turned, None if too little tells how it did.

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
    if chosen.sum() < _ENOUGH_PIXELS:
        return None
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


def _from_heading(
    shape: tuple[int, ...], heading: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return columns and rows from the heading, broadcast to the image's shape."""
    x = np.arange(shape[1], dtype=np.float32)[None] - np.float32(heading[0])
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(heading[1])
    return np.broadcast_to(x, shape[:2]), np.broadcast_to(y, shape[:2])
