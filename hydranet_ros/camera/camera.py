# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Camera models: intrinsics at any image size, the ray of each pixel, points from depth.

The optical frame is that of REP 103: x right, y down, z forward; depth lies along z (REP 118).
Pixel centres have integer coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError

DISTORTION_COEFFICIENTS = {'plumb_bob': 5, 'rational_polynomial': 8}
"""Supported lens models of CameraInfo, with their number of coefficients."""

_NEWTON_STEPS = 20
_NEWTON_TOLERANCE = 1e-10
_DIFFERENCE = 1e-6
_LARGEST_RESIDUAL = 1e-6
"""Tolerance in normalised coordinates: 0.001 pixel at a focal length of 1000 pixels."""

Coordinates = NDArray[np.float64]

MILLIMETRES_PER_METRE = 1000.0
_MILLIMETRES_MAXIMUM = np.iinfo(np.uint16).max


def depth_to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """
    Convert depth in metres to whole millimetres for a 16-bit image (REP 118).

    Invalid depth (NaN, zero) and depth beyond 65.535 m become 0; clipping would show walls at
    65.535 m.
    """
    with np.errstate(over='ignore', invalid='ignore'):
        millimetres = np.rint(depth * MILLIMETRES_PER_METRE)
        held = (millimetres > 0) & (millimetres <= _MILLIMETRES_MAXIMUM)
    return np.where(held, millimetres, 0).astype(np.uint16)


@dataclass(frozen=True, eq=False)
class Camera:
    """Intrinsics of a camera for one image size."""

    width: int  # image size in pixels
    height: int
    matrix: NDArray[np.float64]  # 3×3 camera matrix (``K`` of CameraInfo), pixels
    projection: NDArray[np.float64]
    """
    3×4 projection matrix (``P`` of CameraInfo), pixels; its fourth column holds the baseline of
    a stereo pair (``-fx·b``).
    """
    distortion_model: str = 'plumb_bob'
    """One of `DISTORTION_COEFFICIENTS`; ignored if all coefficients are zero."""
    distortion: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """
    Coefficients of the lens in the order of CameraInfo (and OpenCV): ``k1 k2 p1 p2 k3``, then ``k4
    k5 k6``; missing ones are zero.
    """

    @property
    def focal_length(self) -> float | None:
        """Horizontal focal length in pixels; None if uncalibrated (the matrix is zero)."""
        fx = float(self.matrix[0, 0])
        return fx if np.isfinite(fx) and fx > 0 else None

    def scaled(self, width: int, height: int) -> Camera:
        """
        Return the intrinsics of the same view resized to another size in pixels.

        The outer *edges* of the two images coincide, as with ``cv2.resize``: a pixel centre at
        ``x`` moves to ``(x + 0.5)·s - 0.5``. Lens distortion is in normalised coordinates and does
        not change.
        """
        sx, sy = width / self.width, height / self.height
        resize = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
        return replace(
            self,
            width=width,
            height=height,
            matrix=resize @ self.matrix,
            projection=resize @ self.projection,
        )

    def rectified(self) -> Camera:
        """Return the camera of the rectified image (``image_rect``): ``P`` without distortion."""
        # Drivers without rectification leave P zero.
        matrix = self.projection[:, :3] if self.projection[0, 0] > 0 else self.matrix
        return replace(self, matrix=matrix, distortion=np.zeros(0))

    def rays(self, stride: int = 1) -> NDArray[np.float32]:
        """
        Return the ray of each pixel in every N-th row and column; call this once per camera.

        The ray is the point at depth 1 that the pixel shows; NaN if the lens model maps no point
        to the pixel. The result is ceil(height / stride) × ceil(width / stride) × 3, float32.
        Raises HydranetError if the camera is not calibrated or its lens model is not supported.
        """
        if self.focal_length is None or not self.matrix[1, 1] > 0:
            raise HydranetError(
                'The camera is not calibrated: its focal lengths are not positive in camera_info.'
            )
        coefficients = self._lens()
        (fx, skew, cx), (_, fy, cy) = self.matrix[0], self.matrix[1]
        v, u = np.mgrid[0 : self.height : stride, 0 : self.width : stride].astype(np.float64)
        y = (v - cy) / fy
        x = (u - cx - skew * y) / fx
        if coefficients.any():
            x, y = _undistort(x, y, coefficients)
        z = np.where(np.isnan(x), np.nan, 1.0)
        return np.stack([x, y, z], axis=-1).astype(np.float32)

    def _lens(self) -> NDArray[np.float64]:
        """Return the lens coefficients ``k1 k2 p1 p2 k3 k4 k5 k6``."""
        coefficients = np.zeros(8)
        if not self.distortion.any():
            return coefficients
        known = DISTORTION_COEFFICIENTS.get(self.distortion_model)
        if known is None or self.distortion[known:].any():
            raise HydranetError(
                f'The lens model {self.distortion_model!r} with {self.distortion.size} '
                f'coefficients is not supported; rectify the images, or calibrate with one of '
                f'{", ".join(DISTORTION_COEFFICIENTS)}.'
            )
        given = self.distortion[:known]
        coefficients[: given.size] = given
        return coefficients


def pinhole(width: int, height: int, matrix: NDArray[np.float64]) -> Camera:
    """Return a camera without distortion from its 3×3 matrix."""
    return Camera(width, height, matrix, np.hstack([matrix, np.zeros((3, 1))]))


def ideal_camera(width: int, height: int, focal_length: float) -> Camera:
    """Return a camera without distortion whose principal point is the image's centre."""
    center = (width - 1) / 2, (height - 1) / 2
    matrix = np.array([[focal_length, 0, center[0]], [0, focal_length, center[1]], [0, 0, 1]])
    return pinhole(width, height, matrix)


class RayTable:
    """Cache the rays of a camera until another camera is requested."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._rays = np.zeros((0, 0, 3), np.float32)

    def rays(self, camera: Camera, stride: int = 1) -> NDArray[np.float32]:
        """Return :meth:`Camera.rays`; the array is shared and must not be modified."""
        key = (
            (camera.width, camera.height, stride, camera.distortion_model),
            (camera.matrix.tobytes(), camera.distortion.tobytes()),
        )
        if key != self._key:
            self._rays, self._key = camera.rays(stride), key
        return self._rays


def depth_to_points(
    depth: NDArray[np.float32],
    rays: NDArray[np.float32],
    stride: int = 1,
    maximum_range: float = np.inf,
) -> NDArray[np.float32]:
    """
    Turn a depth image into points in the camera's optical frame, in metres.

    Parameters
    ----------
    depth
        H × W metres along z; NaN, infinite and non-positive values are invalid.
    rays
        :meth:`Camera.rays` of the depth image's camera for the same stride.
    stride
        Use every N-th row and column.
    maximum_range
        Points farther from the camera, in metres, become invalid.

    Returns
    -------
    Points in the shape of ``rays``, float32; NaN where invalid.

    """
    taken = depth[::stride, ::stride]
    if taken.shape != rays.shape[:2]:
        raise ValueError(f'depth of shape {taken.shape} does not fit rays of {rays.shape[:2]}')
    with np.errstate(invalid='ignore', over='ignore'):
        valid = (taken > 0) & (taken < np.inf)
        if np.isfinite(maximum_range):
            valid &= taken * np.sqrt(np.einsum('...i,...i->...', rays, rays)) <= maximum_range
    points = np.where(valid, taken, np.float32(np.nan))[..., None] * rays
    return np.asarray(points, np.float32)


def distort(
    x: Coordinates, y: Coordinates, coefficients: NDArray[np.float64]
) -> tuple[Coordinates, Coordinates]:
    """
    Apply a lens to the normalised coordinates ``X / Z`` and ``Y / Z`` of an ideal camera.

    The coefficients are ``k1 k2 p1 p2 k3 k4 k5 k6`` of Brown (1966) with OpenCV's rational radial
    part.
    """
    k1, k2, p1, p2, k3, k4, k5, k6 = coefficients
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )


def _undistort(
    seen_x: Coordinates, seen_y: Coordinates, coefficients: NDArray[np.float64]
) -> tuple[Coordinates, Coordinates]:
    """Invert :func:`distort` with Newton's method; NaN where it has no inverse."""
    x, y = seen_x.copy(), seen_y.copy()
    # Far outside the image a lens model may fold over or overflow; such pixels become NaN.
    with np.errstate(all='ignore'):
        for _ in range(_NEWTON_STEPS):
            at = np.stack(distort(x, y, coefficients))
            error_x, error_y = at[0] - seen_x, at[1] - seen_y
            xx, yx = (np.stack(distort(x + _DIFFERENCE, y, coefficients)) - at) / _DIFFERENCE
            xy, yy = (np.stack(distort(x, y + _DIFFERENCE, coefficients)) - at) / _DIFFERENCE
            determinant = xx * yy - xy * yx
            step_x = (yy * error_x - xy * error_y) / determinant
            step_y = (xx * error_y - yx * error_x) / determinant
            x, y = x - step_x, y - step_y
            step = np.hypot(step_x, step_y)
            if np.max(step, initial=0.0, where=np.isfinite(step)) < _NEWTON_TOLERANCE:
                break
        again_x, again_y = distort(x, y, coefficients)
        residual = np.hypot(again_x - seen_x, again_y - seen_y)
        # Beyond the fold there is a second, wrong solution, where the image is mirrored along the
        # radius or, farther out, through the centre.
        upright = (determinant > 0) & (x * seen_x + y * seen_y >= 0)
        good = (residual < _LARGEST_RESIDUAL) & upright
    return np.where(good, x, np.nan), np.where(good, y, np.nan)
