# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pinhole camera models: what an image's intrinsics become when it is resized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Camera:
    """
    Intrinsics of a pinhole camera for one image size.

    Attributes
    ----------
    width, height
        Image size in pixels.
    matrix
        3×3 float64 camera matrix (``K`` of CameraInfo), pixels.
    projection
        3×4 float64 projection matrix (``P`` of CameraInfo), pixels; its fourth column carries
        the baseline of a stereo pair (``-fx·b``).

    """

    width: int
    height: int
    matrix: NDArray[np.float64]
    projection: NDArray[np.float64]

    @property
    def focal_length(self) -> float | None:
        """Horizontal focal length in pixels, or None for an uncalibrated camera (zeros)."""
        fx = float(self.matrix[0, 0])
        return fx if np.isfinite(fx) and fx > 0 else None

    def scaled(self, width: int, height: int) -> Camera:
        """
        Return the intrinsics of the same view resized to another size.

        Pixel centres lie at integer coordinates and the outer *edges* of the two images agree,
        as with ``cv2.resize``: a centre at ``x`` comes to ``(x + 0.5)·s - 0.5``. Lens distortion
        acts on normalised coordinates and stays as it is.

        Parameters
        ----------
        width, height
            The new size in pixels, both positive.

        """
        sx, sy = width / self.width, height / self.height
        resize = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
        return Camera(width, height, resize @ self.matrix, resize @ self.projection)
