# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Organised clouds: a point with colour and label for each pixel, and PLY files of points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import depth_to_points
from hydranet_ros.data.media import naming_write_faults
from hydranet_ros.model.labels import UNLABELED
from hydranet_ros.pictures.render import RgbImage

POINT = np.dtype([('x', '<f4'), ('y', '<f4'), ('z', '<f4'), ('rgb', '<f4'), ('label', '<u4')])
"""
A point as PCL's ``PointXYZRGBL`` and rviz read it: metres, colour as the bytes 0 r g b of a
number that is stored as a float, class id.
"""
_PLY_VERTEX = np.dtype(
    [
        *((name, '<f4') for name in 'xyz'),
        *((name, 'u1') for name in ('red', 'green', 'blue', 'label')),
    ]
)
_PLY_TYPES = {'<f4': 'float', '|u1': 'uchar'}


def organized_cloud(
    depth: NDArray[np.float32],
    rays: NDArray[np.float32],
    rgb: RgbImage,
    labels: NDArray[np.uint8] | None = None,
    *,
    stride: int = 1,
    maximum_range: float = np.inf,
) -> NDArray:
    """
    Make the cloud of an image.

    Parameters
    ----------
    depth
        H×W: metres along z, invalid as for `depth_to_points`.
    rays
        Of the image's camera for this stride (`Camera.rays`).
    rgb
        H×W×3 uint8.
    labels
        H×W uint8: class ids; all points are unlabelled without.
    stride
        Take every so many-th row and column.
    maximum_range
        Points farther from the camera than that, in metres, become invalid.

    Returns
    -------
    The height and width of ``rays``, of type `POINT`: the point of pixel (stride·i, stride·j) at
    (i, j); x y z are NaN where invalid.

    """
    cloud = np.empty(rays.shape[:2], POINT)
    points = depth_to_points(depth, rays, stride, maximum_range)
    for index, axis in enumerate('xyz'):
        cloud[axis] = points[..., index]
    colors = cv2.cvtColor(np.ascontiguousarray(rgb[::stride, ::stride]), cv2.COLOR_RGB2BGRA)
    colors[..., 3] = 0
    cloud['rgb'] = colors.view('<f4')[..., 0]
    cloud['label'] = UNLABELED if labels is None else labels[::stride, ::stride]
    return cloud


def write_ply(
    path: Path,
    points: NDArray[np.float32],
    colors: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    class_names: Sequence[str] = (),
) -> None:
    """
    Write points as a binary PLY file, making its folder.

    Parameters
    ----------
    path
        Ends in ``.ply``.
    points
        n×3: metres.
    colors
        n×3 uint8 RGB.
    labels
        n: class ids, the vertices' property ``label``.
    class_names
        Written as comments ``label ID NAME``.

    Raises
    ------
    HydranetError
        If it cannot be written.

    """
    vertices = np.empty(len(points), _PLY_VERTEX)
    for name, column in zip(_PLY_VERTEX.names or (), (*points.T, *colors.T, labels), strict=True):
        vertices[name] = column
    header = ['ply', 'format binary_little_endian 1.0']
    header += [f'comment label {index} {name}' for index, name in enumerate(class_names)]
    header += [f'element vertex {len(vertices)}']
    header += [f'property {_PLY_TYPES[field[1]]} {field[0]}' for field in _PLY_VERTEX.descr]
    header += ['end_header', '']
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes('\n'.join(header).encode() + vertices.tobytes())
