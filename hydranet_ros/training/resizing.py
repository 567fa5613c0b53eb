# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Resize samples, and stretch the scenes that they show.

How resizing an image changes its depth: a pinhole camera sees a point (X, Y, Z) at column ``u = fx
X / Z + cx``. An image resized by s shows the point at ``s u``, like an image of the same scene by
a camera of focal length ``s fx``. So Z stays the same and fx becomes ``s fx``. A network that does
not know the focal length cannot distinguish a camera with ``s fx`` from points at ``Z / s``.
Training has to choose one of the two:

- ``canonical`` (Yin et al., Metric3D, 2023): depth is given for the canonical focal length f, as
  ``Z f / fx`` with the resized fx;
- ``one camera`` (recipes without a canonical focal length): fx is assumed constant, so depth is
  divided by s.

In both cases, an object that looks larger is nearer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import Camera, pinhole
from hydranet_ros.camera.resize import resize_image, resize_nearest
from hydranet_ros.data.sample import Sample


def rescale(sample: Sample, factor: float, one_camera: bool = False) -> Sample:
    """
    Resize a sample by a factor; labels, depth and normals are those of the nearest pixel.

    With ``one_camera``, depth is divided by the factor; else fx is multiplied by it. See the
    docstring of this module.
    """
    height, width = sample.image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return replace(
        sample,
        image=resize_image(sample.image, size),
        segmentation=_nearest(sample.segmentation, size),
        depth=_depth_at(_nearest(sample.depth, size), factor, one_camera),
        normals=_nearest(sample.normals, size),
        camera=reframe(
            sample.camera, size, zoom=(factor, factor), fx=_fx_at(sample.fx, factor, one_camera)
        ),
    )


def reframe(
    camera: Camera | None,
    size: tuple[int, int],  # new width and height
    *,
    zoom: tuple[float, float] = (1.0, 1.0),  # along x and y
    shift: tuple[float, float] = (0.0, 0.0),  # pixels, after the zoom
    fx: float | None = None,  # new horizontal focal length; fy / fx is kept
) -> Camera | None:
    """Return the camera of a resized or cropped image; None if there is no camera."""
    if camera is None:
        return None
    matrix = camera.matrix.copy()
    if fx is not None:
        matrix[:2, :2] *= fx / matrix[0, 0]
        matrix[0, 0] = fx
    # Pixel centres have integer coordinates, so image edges are at -0.5 and size - 0.5.
    matrix[:2, 2] = (matrix[:2, 2] + 0.5) * zoom - 0.5 + shift
    return pinhole(*size, matrix)


def stretch_world(
    sample: Sample,
    width: float,
    height: float,
    horizon: int,
    *,
    factor: float = 1.0,
    one_camera: bool = False,
) -> Sample:
    """
    Make a scene wider, or taller above eye level, for the same camera; then resize the image.

    For a point (X, Y, Z), y down, X becomes ``width X``; if the point is above the camera, Y
    becomes ``height Y``. Relative to the principal point, the point's column changes from ``fx X /
    Z`` to ``width fx X / Z``, and its row likewise. Resizing the image along x, and its part above
    the horizon along y, does exactly this. Z and the camera stay the same: a narrow street between
    hedges becomes a wide street between tall trees, on unchanged ground.

    Parameters
    ----------
    sample
        Taken by a camera that looks horizontally.
    horizon
        Image row at eye level, in pixels.
    factor, one_camera
        As for :func:`rescale`, applied in the same step.

    """
    rows, columns = sample.image.shape[:2]
    horizon = min(max(horizon, 1), rows - 1)
    wide = max(1, round(columns * width * factor))
    tall = max(1, round(horizon * height * factor))
    deep = max(1, round((rows - horizon) * factor))

    def stretched(array: NDArray | None) -> NDArray | None:
        if array is None:
            return None
        above = _nearest(array[:horizon], (wide, tall))
        return np.concatenate([above, _nearest(array[horizon:], (wide, deep))])

    normals = stretched(sample.normals)
    if normals is not None:
        # Stretching an axis by a factor divides that component of the normals by the factor.
        factors = np.ones((tall + deep, 1, 3), np.float32)
        factors[..., 0] = width
        factors[:tall, :, 1] = height
        normals = np.asarray(normals / factors, np.float32)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    above = resize_image(sample.image[:horizon], (wide, tall))
    return replace(
        sample,
        image=np.concatenate([above, resize_image(sample.image[horizon:], (wide, deep))]),
        segmentation=stretched(sample.segmentation),
        depth=_depth_at(stretched(sample.depth), factor, one_camera),
        normals=normals,
        camera=reframe(
            sample.camera,
            (wide, tall + deep),
            zoom=(width * factor, factor),
            shift=(0.0, tall - horizon * factor),
            fx=_fx_at(sample.fx, factor, one_camera),
        ),
    )


def _depth_at(depth: NDArray | None, factor: float, one_camera: bool) -> NDArray | None:
    """Return the depth of a resized image, which changes only with ``one_camera``."""
    return depth / np.float32(factor) if one_camera and depth is not None else depth


def _fx_at(fx: float | None, factor: float, one_camera: bool) -> float | None:
    return None if one_camera or fx is None else fx * factor


def _nearest(array: NDArray | None, size: tuple[int, int]) -> NDArray | None:
    return None if array is None else resize_nearest(array, size)
