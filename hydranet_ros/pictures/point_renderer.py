# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Draw coloured 3-D points, without a graphics card."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import Camera
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.pictures.render import BACKGROUND

_NEAREST = 0.05
_LARGEST_SPLAT = 12


def look_at(
    eye: NDArray[np.float64], target: NDArray[np.float64], up: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Return the 4×4 pose (optical frame to world) of a camera at ``eye`` that looks at ``target``.

    ``up`` points up in the picture and may have any length.
    """
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.column_stack([right, np.cross(forward, right), forward, eye])
    return pose


def draw_points(
    points: NDArray[np.float32],
    colors: NDArray[np.uint8],
    camera: Camera,
    pose: NDArray[np.float64],
    *,
    size: float = 0.02,
    background: tuple[int, int, int] = BACKGROUND,
) -> RgbImage:
    """
    Draw points as squares, near ones over far ones.

    Points are n×3 metres in the world, colours n×3 uint8 RGB. The picture has the size and the
    matrix of the camera; lens distortion is ignored. The pose is 4×4, from the camera's optical
    frame to the world. ``size`` is the side of the squares in metres.
    """
    seen = (points - pose[:3, 3]) @ pose[:3, :3]
    ahead = seen[:, 2] > _NEAREST
    seen, colors = seen[ahead], colors[ahead]
    z = seen[:, 2]
    pixels = seen @ camera.matrix.T
    u, v = (np.rint(pixels[:, axis] / z).astype(np.int64) for axis in (0, 1))
    extents = np.clip(np.ceil(size * camera.matrix[0, 0] / z), 1, _LARGEST_SPLAT).astype(np.int64)
    shape = (camera.height, camera.width)
    nearest = np.full(camera.height * camera.width, np.inf)
    picture = np.empty((camera.height * camera.width, 3), np.uint8)
    picture[:] = background
    for extent in np.unique(extents):
        # From far to near, so that the nearest of several points in a pixel is kept.
        rows = np.flatnonzero(extents == extent)
        rows = rows[np.argsort(-z[rows])]
        for dv, du in np.ndindex(extent, extent):
            y, x = v[rows] + dv - extent // 2, u[rows] + du - extent // 2
            inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
            where, source = y[inside] * shape[1] + x[inside], rows[inside]
            closer = z[source] < nearest[where]
            where, source = where[closer], source[closer]
            nearest[where], picture[where] = z[source], colors[source]
    return picture.reshape(*shape, 3)
