# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Compute surface normals from depth by fitting planes to windows of the image.

On a plane, inverse depth is linear in the pixel coordinates, ``1/z = a u + b v + c``, and
``-K^T (a, b, c)`` is its normal towards the camera. So a fit is a linear regression, and box
filters compute the sums for all windows of one size at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

RADII = (48, 34, 24, 17, 12, 8, 6, 4, 3)
"""Half-widths of windows in pixels; each is tried where the larger ones do not fit."""
_LEAST_SHARE = 0.5
"""Smallest share of pixels with depth in a window."""
_LARGEST_RMS = 2.0
"""Largest RMS of a plane's residuals. This and the next two limits are in standard deviations."""
_LARGEST_RESIDUAL = 3.0
"""Largest residual of the pixel whose normal is computed."""
_LARGEST_BEND = 8.0
"""Largest second difference of inverse depth between neighbours on one surface."""
_LEAST_DEVIATION = 1e-5
"""Smallest standard deviation of inverse depth, per metre."""
_LEAST_COSINE = 0.17
"""
Smallest cosine of the angle between normal and line of sight; beyond 80°, most surfaces are
interpolated edges.
"""


@dataclass(frozen=True)
class DepthError:
    """
    The error of measured depth: its variance at z metres is ``step² / 12 + (noise z²)²``.

    The default is for a Kinect with depth stored in millimetres (Khoshelham and Elberink 2012).
    """

    step: float = 0.001  # difference between neighbouring stored values, metres
    noise: float = 0.0014  # standard deviation at 1 m, in metres; grows with the square of depth

    def of_inverse(self, inverse: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance of inverse depth."""
        square = inverse * inverse
        return self.step**2 / 12 * square * square + self.noise**2 + _LEAST_DEVIATION**2


class _Planes(NamedTuple):
    """The planes of all windows of one size, H×W: ``1/z = a u + b v + c``."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    c: NDArray[np.float64]
    misfit: NDArray[np.float64]  # residuals' variance / expected variance; inf: no fit


def normals_from_depth(
    depth: NDArray[np.float32],
    matrix: NDArray[np.float64],
    error: DepthError,
    window: float,
) -> NDArray[np.float32]:
    """
    Return the unit normal of each pixel, H×W×3, in the optical frame; NaN where unknown.

    The half-width of a window is ``window`` standard deviations of the depth, converted to pixels,
    so windows grow with the error. If the pixels of a window are not on one plane, windows beside
    the pixel are tried, then smaller windows. A pixel on none of these planes has no known normal.

    Parameters
    ----------
    depth
        H×W metres, NaN unknown.
    matrix
        3×3 camera matrix, pixels.

    """
    height, width = depth.shape
    known = np.isfinite(depth) & (depth > 0)
    inverse = np.zeros(depth.shape)
    np.divide(1.0, depth, out=inverse, where=known)
    deviation = np.sqrt(error.of_inverse(inverse))
    moments = _moments(inverse, known & ~_edges(inverse, known, deviation))
    # The relative deviation is the same for depth and inverse depth.
    wanted = np.zeros(depth.shape)
    np.divide(window * matrix[0, 0] * deviation, inverse, out=wanted, where=known)

    planes = np.full((height, width, 3), np.nan)
    left = np.flatnonzero(known)
    for radius in RADII:
        tried = left[wanted.flat[left] >= radius] if radius > RADII[-1] else left
        if len(tried):
            fitted = _fit(moments, radius, error)
            place = _best_window(fitted.misfit, tried, radius)
            found = np.stack([value.flat[place] for value in fitted[:3]], -1)
            v, u = np.divmod(tried, width)
            residual = found[:, 0] * u + found[:, 1] * v + found[:, 2] - inverse.flat[tried]
            # Even a surface that is curved within the smallest window gets a normal.
            smallest = radius == RADII[-1]
            largest_residual = _LARGEST_BEND if smallest else _LARGEST_RESIDUAL
            largest_rms = _LARGEST_BEND if smallest else _LARGEST_RMS
            fits = np.abs(residual) <= largest_residual * deviation.flat[tried]
            fits &= fitted.misfit.flat[place] <= largest_rms**2
            planes.reshape(-1, 3)[tried[fits]] = found[fits]
            left = left[np.isnan(planes.reshape(-1, 3)[left, 0])]
    normals = -planes @ matrix
    v, u = np.mgrid[:height, :width].astype(np.float64)
    rays = np.linalg.inv(matrix) @ np.stack([u, v, np.ones_like(u)]).reshape(3, -1)
    along = np.einsum('ij,ji->i', normals.reshape(-1, 3), rays).reshape(height, width)
    lengths = np.linalg.norm(normals, axis=2)
    side = np.linalg.norm(rays, axis=0).reshape(height, width) * lengths
    with np.errstate(invalid='ignore'):
        normals[~(along <= -_LEAST_COSINE * side)] = np.nan
    return (normals / lengths[..., None]).astype(np.float32)


def _edges(
    inverse: NDArray[np.float64], known: NDArray[np.bool_], deviation: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the pixels where depth jumps: inverse depth bends by more than its error."""
    edges = np.zeros(inverse.shape, np.bool_)
    limit = _LARGEST_BEND * deviation
    for q, seen, bound, out in (
        (inverse, known, limit, edges),
        (inverse.T, known.T, limit.T, edges.T),
    ):
        bend = np.abs(q[2:] - 2 * q[1:-1] + q[:-2])
        out[1:-1] |= (bend > bound[1:-1]) & seen[2:] & seen[1:-1] & seen[:-2]
    return edges


def _moments(q: NDArray[np.float64], used: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return 1, u, v, uu, uv, vv, q, uq, vq, qq of the used pixels, 0 elsewhere."""
    v, u = np.mgrid[: q.shape[0], : q.shape[1]].astype(np.float64)
    w = used.astype(np.float64)
    u, v, q = u * w, v * w, q * w
    return [w, u, v, u * u, u * v, v * v, q, u * q, v * q, q * q]


def _fit(moments: list[NDArray[np.float64]], radius: int, error: DepthError) -> _Planes:
    """Fit a plane to the window around each pixel; windows at the border are cropped."""
    size = 2 * radius + 1
    sums = [
        cv2.boxFilter(m, -1, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT)
        for m in moments
    ]
    count = np.maximum(sums[0], 1)
    u, v, uu, uv, vv, q, uq, vq, qq = (s / count for s in sums[1:])
    uu -= u * u
    uv -= u * v
    vv -= v * v
    uq -= u * q
    vq -= v * q
    qq -= q * q
    determinant = uu * vv - uv * uv
    full = (sums[0] >= _LEAST_SHARE * size * size) & (determinant > 1e-3 * radius**4)
    determinant[~full] = 1
    a = (vv * uq - uv * vq) / determinant
    b = (uu * vq - uv * uq) / determinant
    misfit = np.where(full, (qq - a * uq - b * vq) / error.of_inverse(q), np.inf)
    return _Planes(a, b, q - a * u - b * v, misfit)


def _best_window(
    misfit: NDArray[np.float64], pixels: NDArray[np.intp], radius: int
) -> NDArray[np.intp]:
    """Return the centre (flat index) of the best-fitting window that contains each pixel."""
    height, width = misfit.shape
    v, u = np.divmod(pixels, width)
    best = pixels.copy()
    least = misfit.flat[pixels]
    # Prefer the window around the pixel itself if it fits.
    unfit = np.flatnonzero(least > _LARGEST_RMS**2)
    for dv in (-radius, 0, radius):
        for du in (-radius, 0, radius):
            other = np.clip(v[unfit] + dv, 0, height - 1) * width
            other += np.clip(u[unfit] + du, 0, width - 1)
            value = misfit.flat[other]
            better = value < least[unfit]
            best[unfit[better]] = other[better]
            least[unfit[better]] = value[better]
    return best
