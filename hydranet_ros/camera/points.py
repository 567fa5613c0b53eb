# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Organised point clouds: one point with colour and label per pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import depth_to_points

POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<f4'), ('label', '<u4')])
"""
Point type of PCL (``PointXYZRGBL``) and rviz: x y z in metres, the colour bytes 0 r g b stored as
a float, and the class id.
"""


def organized_cloud(
    depth: NDArray[np.float32],
    rays: NDArray[np.float32],
    rgb: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    stride: int = 1,
    maximum_range: float = np.inf,
) -> NDArray:
    """
    Make the cloud of an image.

    Parameters
    ----------
    depth
        H×W metres along z; invalid values as in `depth_to_points`.
    rays
        `Camera.rays` of the image's camera for this stride.
    rgb, labels
        H×W×3 and H×W uint8.
    stride
        Use every N-th row and column.
    maximum_range
        Points farther from the camera, in metres, become invalid.

    Returns
    -------
    Array of `POINT` with the height and width of ``rays``: element (i, j) is the point of
    pixel (stride·i, stride·j); x y z are NaN where invalid.

    """
    cloud = np.empty(rays.shape[:2], POINT)
    points = depth_to_points(depth, rays, stride, maximum_range)
    for index, axis in enumerate('xyz'):
        cloud[axis] = points[..., index]
    colors = cv2.cvtColor(np.ascontiguousarray(rgb[::stride, ::stride]), cv2.COLOR_RGB2BGRA)
    colors[..., 3] = 0
    cloud['rgb'] = colors.view('<f4')[..., 0]
    cloud['label'] = labels[::stride, ::stride]
    return cloud
