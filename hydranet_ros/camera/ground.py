# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Level ground in front of a camera: the depth of a pixel follows from its row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError

_ALIGNED_BY = 25.0
"""Largest depth, in metres, of the ground that is used to align a teacher's depth."""
_ENOUGH_GROUND = 0.015
"""Smallest share of the image's pixels that must be ground for an alignment."""


@dataclass(frozen=True)
class Ground:
    """
    Level ground: the depth of a pixel follows from its row in the image.

    On a plane, inverse depth is proportional to the number of rows below the horizon. A teacher
    that was trained for one camera assumes the horizon of that camera, so its depth of the ground
    and of objects on the ground is wrong for other cameras. ``align`` fits a line to the predicted
    and the true inverse depth of the ground, and corrects the whole depth image with it.
    """

    classes: tuple[str, ...]  # classes of the dataset's labels that lie on the ground
    height: float  # height of the camera above the ground, metres
    horizon: float  # row of the horizon divided by the image's height
    horizons: dict[str, float] = field(default_factory=dict)
    """The ``horizon`` of each camera, if a dataset has several, by the prefix of image names."""
    maximum: float = 40.0
    """Depth in metres up to which the ground is level; farther ground has no depth."""
    align: bool = False
    """Whether to align depth with the ground; images with too little ground get no depth."""

    def __post_init__(self) -> None:
        if not (self.height > 0 and self.maximum > 0):
            raise HydranetError(
                'The ground of a distillation needs a `height` and a `maximum` above 0.'
            )

    def laid(
        self, depth: NDArray[np.float32], on_it: NDArray[np.bool_], fx: float, name: str
    ) -> NDArray[np.float32]:
        """
        Return a teacher's depth with the ground replaced by its true depth.

        ``on_it`` marks the pixels of the ground; ``fx`` is the focal length in pixels; ``name`` is
        the name of the image.
        """
        rows = len(depth)
        share = next((v for k, v in self.horizons.items() if name.startswith(k)), self.horizon)
        below = np.arange(rows, dtype=np.float32)[:, None] + 0.5 - share * rows
        inverse = below / np.float32(fx * self.height)
        if self.align:
            line = _line(depth, on_it, inverse)
            if line is None:
                return np.full_like(depth, np.nan)
            depth = _moved(depth, *line)
        plane = np.where(inverse > 1 / self.maximum, 1 / np.maximum(inverse, 1e-9), np.nan)
        return np.where(on_it, plane, depth).astype(np.float32)


def _line(
    depth: NDArray[np.float32], on_it: NDArray[np.bool_], inverse: NDArray[np.float32]
) -> tuple[float, float] | None:
    """
    Return slope and offset of predicted inverse depth as a function of true inverse depth.

    Only ground pixels are used; None if there are too few or the slope is not positive.
    """
    seen = on_it & (depth > 0) & (depth < _ALIGNED_BY)
    if seen.mean() < _ENOUGH_GROUND:
        return None
    ours = np.broadcast_to(inverse, depth.shape)[seen].astype(np.float64)
    theirs = 1 / depth[seen].astype(np.float64)
    kept = np.ones_like(theirs, bool)
    for _ in range(6):
        # Least squares without outliers such as a kerb or the car's bonnet.
        slope, offset = np.polyfit(ours[kept], theirs[kept], 1)
        miss = np.abs(theirs - slope * ours - offset)
        kept = miss <= 3.7 * np.median(miss) + 1e-6
    return (float(slope), float(offset)) if slope > 0 else None


def _moved(depth: NDArray[np.float32], slope: float, offset: float) -> NDArray[np.float32]:
    """Correct a teacher's depth with the line from `_line`; NaN beyond a kilometre."""
    with np.errstate(invalid='ignore', divide='ignore'):
        inverse = (1 / depth - offset) / slope
        return np.where(inverse > 1e-3, 1 / np.maximum(inverse, 1e-3), np.nan).astype(np.float32)
