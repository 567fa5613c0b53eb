# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Decode camera images with separate luma (Y) and chroma (U, V) planes; without ROS.

Jetsons, phones and libcamera deliver these formats. The planes follow each other in the data.
``height`` and ``width`` are those of the image, ``step`` is the row length of the luma plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError

# BT.601, limited range: rows R, G, B; columns Y, U, V and the constant.
_RGB_OF_YUV = np.array(
    [
        [1.164, 0.0, 1.596, -222.912],
        [1.164, -0.391, -0.813, 135.488],
        [1.164, 2.018, 0.0, -276.928],
    ]
)


@dataclass(frozen=True)
class PlanarFormat:
    """How the chroma planes U and V are stored."""

    interleaved: bool  # one plane of pairs instead of two planes
    halved: bool  # whether 2x2 pixels share their chroma
    v_first: bool = False


PLANAR_FORMATS: Mapping[str, PlanarFormat] = {
    'nv12': PlanarFormat(interleaved=True, halved=True),
    'nv21': PlanarFormat(interleaved=True, halved=True, v_first=True),
    'nv24': PlanarFormat(interleaved=True, halved=False),
    'i420': PlanarFormat(interleaved=False, halved=True),
    'yuv420': PlanarFormat(interleaved=False, halved=True),
    'yv12': PlanarFormat(interleaved=False, halved=True, v_first=True),
    'yuv444': PlanarFormat(interleaved=False, halved=False),
}
"""Formats by their ROS name; ``yuv444`` may also have one plane of packed Y, U and V."""


def planar_to_rgb(message: Any) -> NDArray[np.uint8]:
    """
    Decode a ``sensor_msgs/Image`` of one of `PLANAR_FORMATS` to H×W×3 uint8 RGB.

    Raises HydranetError if the data does not fit the header.
    """
    layout = PLANAR_FORMATS[message.encoding]
    height, width, step = message.height, message.width, message.step
    what = f'An image of {width}×{height} pixels, encoding {message.encoding}'
    if height == 0 or width == 0:
        raise HydranetError(f'{what}, is empty.')
    if step < width:
        raise HydranetError(f'{what}, has a step of {step} bytes; a row needs {width}.')
    planes = _planes(layout, height, width, step)
    if message.encoding == 'yuv444' and step >= 3 * width and len(message.data) < planes[-1].end:
        planes = [_Plane(0, height, 3 * width, step)]
    needed = planes[-1].end
    if len(message.data) < needed:
        raise HydranetError(f'{what}, needs {needed} bytes of data and has {len(message.data)}.')
    luma, *chroma = (plane.view(message.data) for plane in planes)
    if not chroma:
        return _full_chroma(luma.reshape(height, width, 3))
    pairs = (
        chroma[0].reshape(*chroma[0].shape[:1], -1, 2) if layout.interleaved else np.dstack(chroma)
    )
    if layout.v_first:
        pairs = pairs[..., ::-1]
    if not layout.halved:
        return _full_chroma(np.dstack([luma, pairs]))
    # OpenCV needs an even width and height: if odd, repeat the last column or row.
    missing = [(0, 2 * shared - own) for shared, own in zip(pairs.shape, luma.shape, strict=False)]
    even = np.pad(luma, missing, mode='edge')
    rgb = cv2.cvtColorTwoPlane(even, np.ascontiguousarray(pairs), cv2.COLOR_YUV2RGB_NV12)
    return np.ascontiguousarray(rgb[:height, :width])


@dataclass(frozen=True)
class _Plane:
    """A plane of bytes in the data of a message."""

    start: int
    rows: int
    columns: int  # bytes of a row
    stride: int  # bytes from one row to the next

    @property
    def end(self) -> int:
        """Return the number of bytes up to the last pixel; publishers may omit the padding."""
        return self.start + (self.rows - 1) * self.stride + self.columns

    def view(self, data: Any) -> NDArray[np.uint8]:
        """Return the bytes, rows×columns."""
        strides = (self.stride, 1)
        return np.ndarray((self.rows, self.columns), np.uint8, data, self.start, strides)


def _planes(layout: PlanarFormat, height: int, width: int, step: int) -> list[_Plane]:
    rows, columns = ((height + 1) // 2, (width + 1) // 2) if layout.halved else (height, width)
    stride = (step + 1) // 2 if layout.halved else step
    luma = _Plane(0, height, width, step)
    start = height * step
    if layout.interleaved:
        return [luma, _Plane(start, rows, 2 * columns, 2 * stride)]
    return [
        luma,
        _Plane(start, rows, columns, stride),
        _Plane(start + rows * stride, rows, columns, stride),
    ]


def _full_chroma(yuv: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert H×W×3 YUV, chroma for each pixel."""
    return np.asarray(cv2.transform(yuv, _RGB_OF_YUV), np.uint8)
