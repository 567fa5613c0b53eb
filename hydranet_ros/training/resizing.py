# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Samples of another size, as another camera or another world shows them.

What scaling an image means for its depth. A pinhole camera sees a point (X, Y, Z) at column
``u = fx X / Z + cx``. An image resized by s shows it at ``s u``: it is the picture of the same
scene by a camera of focal length ``s fx``. So Z stays as it is and fx becomes ``s fx``. A network
that is given no focal length cannot know which of the two it sees, a camera with ``s fx`` or
points at ``Z / s``; it has to be taught one of them:

- ``canonical`` (Yin et al., Metric3D, 2023): depth is always the one that a camera of the
  canonical focal length f would need for this picture, ``Z f / fx``, with the fx after scaling;
- ``one camera`` (recipes without a canonical focal length): fx is taken to be constant, so depth
  is divided by s.

Both say that what looks larger is nearer.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import Sample


def rescale(sample: Sample, factor: float, one_camera: bool = False) -> Sample:
    """
    Resize a sample; labels, depth and normals by the nearest pixel, so that none is invented.

    Parameters
    ----------
    sample
        What to resize.
    factor
        New size over old.
    one_camera
        Whether depth is divided by the factor instead of fx being multiplied by it; see the
        head of this module.

    """
    height, width = sample.image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    depth, fx = _at_size(_nearest(sample.depth, size), sample.fx, factor, one_camera)
    return replace(
        sample,
        image=_smooth(sample.image, size),
        segmentation=_nearest(sample.segmentation, size),
        depth=depth,
        normals=_nearest(sample.normals, size),
        fx=fx,
    )


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
    Show another world by the same camera: wider, and taller above eye level; then resize.

    Of a point (X, Y, Z), y down, X becomes ``width X``, and Y, if above the camera, ``height Y``.
    Its column moves from ``fx X / Z`` to ``width fx X / Z`` from the principal point and its row
    likewise: resizing the image along one axis, or its part above the horizon, shows exactly that.
    Z and the camera are as before: a narrow street between hedges turns into a wide one between
    tall trees, in which the ground is where it was.

    Parameters
    ----------
    sample
        What to stretch, by a camera that looks straight ahead.
    width, height
        Factors.
    horizon
        Its row of eye level, in pixels.
    factor, one_camera
        As for :func:`rescale`, which this does in the same step.

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
        # What is stretched along an axis faces it less: by the inverse of the factor.
        factors = np.ones((tall + deep, 1, 3), np.float32)
        factors[..., 0] = width
        factors[:tall, :, 1] = height
        normals = np.asarray(normals / factors, np.float32)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    depth, fx = _at_size(stretched(sample.depth), sample.fx, factor, one_camera)
    above = _smooth(sample.image[:horizon], (wide, tall))
    return replace(
        sample,
        image=np.concatenate([above, _smooth(sample.image[horizon:], (wide, deep))]),
        segmentation=stretched(sample.segmentation),
        depth=depth,
        normals=normals,
        fx=fx,
    )


def _smooth(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    # Averaging areas would repeat pixels where there are more, and interpolation skip some where
    # there are fewer: first all that shrinks, then all that grows.
    smaller = min(size[0], image.shape[1]), min(size[1], image.shape[0])
    if smaller != image.shape[1::-1]:
        image = np.asarray(cv2.resize(image, smaller, interpolation=cv2.INTER_AREA), np.uint8)
    if smaller != size:
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return image


def _at_size(
    depth: NDArray | None, fx: float | None, factor: float, one_camera: bool
) -> tuple[NDArray | None, float | None]:
    """Return depth and focal length of an image of other size: one of them is changed by it."""
    if one_camera:
        return (None if depth is None else depth / np.float32(factor)), fx
    return depth, (None if fx is None else fx * factor)


def _nearest(array: NDArray | None, size: tuple[int, int]) -> NDArray | None:
    if array is None:
        return None
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_NEAREST_EXACT))
