# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Depth from the camera's own motion: a teacher that is not a network.

When a camera moves straight ahead, all static points move away from one point of the image, the
focus of expansion (Longuet-Higgins and Prazdny 1980). If a point is r pixels from the focus now,
and was r' pixels from it when the camera was D metres farther back, then the point's depth is
``Z = D r' / (r - r')``, for any focal length. D comes from the images of the road: in a bird's-eye
view, the road shifts by D between the frames. The view needs the height of the camera.

The teacher works for drives on a straight, level road at constant speed, if all frames are
present. Moving objects (cars) get wrong depth or none; exclude them by their labels.
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
"""Standard deviation of chained flow, pixels."""
_TEXTURE = 4.0
"""Minimum root mean square of the brightness gradient (Sobel) for reliable flow."""
_ENOUGH_PIXELS = 50
"""Minimum number of pixels for fitting the rotation, on a grid of every 8th row and column."""


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file."""

    height: float  # of the camera above the road, metres
    baselines: tuple[int, ...] = (4, 6, 8, 10)
    """
    Each frame is compared with the frames that come this many frames before and after it. The
    depth is the mean of the estimates, weighted by precision.
    """
    agreement: float = 0.15
    """
    Depth is kept where the estimates differ by at most this share of the depth, and where a flow
    error of half a pixel changes the most precise estimate by at most this share.
    """


class MotionTeacher(Teacher):
    """Depth of static points from their motion through the frames of a drive."""

    gives_depth = True

    def __init__(self, settings: Settings) -> None:
        if not settings.height > 0 or min(settings.baselines, default=0) < 1:
            raise HydranetError('Depth from motion needs a `height` and `baselines` above zero.')
        self._settings = settings
        self.identity = {
            'kind': 'motion',
            'height': settings.height,
            'baselines': list(settings.baselines),
            'agreement': settings.agreement,
        }
        self._known: tuple[FlowField, Drive] | None = None

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Raise HydranetError, since a single image does not show motion."""
        raise HydranetError('Depth from motion needs all frames of a drive, not single images.')

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        """Annotate one frame of a drive."""
        flows, drive = self._drive(frames)
        fx = focal_length(frames, index)
        texture = flows.texture(index)
        estimates = []
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
                        estimates.append(inverse_depth(straight, trusted, drive.heading, distance))
        return Annotation(
            depth=_agreed(estimates, self._settings.agreement, flows.shape),
            about={'heading': list(drive.heading), 'advance': drive.advance},
        )

    def inputs(self, frames: Frames) -> dict[str, str]:
        """Return a hash of the whole drive, since the depth of a frame depends on all frames."""
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
    Remove the camera's rotation from the displacement; None if too few pixels are reliable.

    Without rotation, all displacements point towards the heading or away from it. The rotation
    whose removal comes closest to this is fitted to the reliable pixels by robust least squares,
    which reduces the weight of moving objects.

    Parameters
    ----------
    displacement
        Shape (height, width, 2): by how many columns and rows each pixel moved.
    reliable
        Shape (height, width): pixels to fit the rotation to.
    heading
        Focus of expansion, pixels; also used as the principal point.
    fx
        Focal length, pixels.

    """
    x, y = _from_heading(reliable.shape, heading)
    # Displacement by small rotations about the three axes of the camera, pixels per radian.
    by_rotation = np.stack(
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
    caused = np.stack([np.sum(part[chosen] * across, -1) / distance for part in by_rotation], -1)
    weights = np.ones_like(seen)
    for _ in range(15):
        angles = np.linalg.lstsq(caused * weights[:, None], seen * weights, rcond=None)[0]
        residual = caused @ angles - seen
        scale = 1.48 * np.median(np.abs(residual)) + 0.02
        weights = 1 / np.sqrt(1 + (residual / scale) ** 4)
    return displacement - np.tensordot(angles.astype(np.float32), by_rotation, 1)


def inverse_depth(
    displacement: NDArray[np.float32],
    trusted: NDArray[np.bool_],
    heading: tuple[float, float],
    distance: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Return inverse depth from the displacement seen by a camera that does not rotate.

    Parameters
    ----------
    displacement
        Shape (height, width, 2): displacement to the frame of the other camera position, pixels.
    trusted
        Shape (height, width): where the displacement is known.
    heading
        Focus of expansion, pixels.
    distance
        How far the other camera position is behind, metres; negative if it is in front.

    Returns
    -------
    tuple
        Inverse depth and its standard deviation, per metre. The deviation is infinite where the
        displacement is unknown or shows that the point is not static.

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
    estimates: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
    agreement: float,
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the depth where at least two estimates agree, NaN elsewhere."""
    depth = np.full(shape, np.nan, np.float32)
    if len(estimates) < 2:
        return depth
    inverse, deviation = (np.stack(parts) for parts in zip(*estimates, strict=True))
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
    """Return columns and rows relative to the heading, broadcast to the image's shape."""
    x = np.arange(shape[1], dtype=np.float32)[None] - np.float32(heading[0])
    y = np.arange(shape[0], dtype=np.float32)[:, None] - np.float32(heading[1])
    return np.broadcast_to(x, shape[:2]), np.broadcast_to(y, shape[:2])
