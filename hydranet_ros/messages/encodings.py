# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Image encodings: the storage of pixels, and the conversion of camera images to RGB.

To support another camera encoding with packed pixels (H×W×C), add an entry to `ENCODINGS`. Formats
with separate planes, such as nv12, are in :mod:`hydranet_ros.messages.planar_images`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of an encoding are stored."""

    dtype: np.dtype  # of one channel
    channels: int
    convert: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None
    """Converts H×W(×C) uint8 to H×W×3 uint8 RGB; None for depth and normals (no colours)."""

    def to_rgb(self, pixels: NDArray) -> NDArray[np.uint8]:
        """
        Convert H×W(×C) pixels of either byte order to H×W×3 uint8 RGB with contiguous rows.

        16-bit values are reduced to their upper byte.
        """
        assert self.convert is not None
        if self.dtype.itemsize == 2:
            pixels = (pixels >> 8).astype(np.uint8)
        return self.convert(pixels)


def _contiguous(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels)  # a copy only if rows are padded


def _opencv(code: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return lambda pixels: np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _yuv422(code: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert pairs of pixels that share their colour; rows of odd width end with half a pair."""
    width = pixels.shape[1]
    if width % 2 == 0:
        return np.asarray(cv2.cvtColor(pixels, code), np.uint8)
    # The last pair lacks its second pixel and with it half of the colour. Take that half from the
    # previous pair, or from the pixel itself if the image is one pixel wide.
    complete = np.concatenate([pixels, pixels[:, max(width - 2, 0)][:, None]], axis=1)
    return np.ascontiguousarray(cv2.cvtColor(complete, code)[:, :width], np.uint8)


def _encodings() -> dict[str, PixelFormat]:
    colors = {
        'rgb': (3, _contiguous),
        'bgr': (3, _opencv(cv2.COLOR_BGR2RGB)),
        'rgba': (4, _opencv(cv2.COLOR_RGBA2RGB)),
        'bgra': (4, _opencv(cv2.COLOR_BGRA2RGB)),
        'mono': (1, _opencv(cv2.COLOR_GRAY2RGB)),
        # OpenCV names a mosaic after the second and third pixel of the second row.
        'bayer_rggb': (1, _opencv(cv2.COLOR_BayerBG2RGB)),
        'bayer_bggr': (1, _opencv(cv2.COLOR_BayerRG2RGB)),
        'bayer_gbrg': (1, _opencv(cv2.COLOR_BayerGR2RGB)),
        'bayer_grbg': (1, _opencv(cv2.COLOR_BayerGB2RGB)),
    }
    encodings = {
        f'{name}{bits}': PixelFormat(np.dtype(f'u{bits // 8}'), channels, convert)
        for bits in (8, 16)
        for name, (channels, convert) in colors.items()
    }
    # These encodings do not give a channel order; publishers use OpenCV's.
    for bits in (8, 16):
        for channels, name in ((1, 'mono'), (3, 'bgr'), (4, 'bgra')):
            encodings[f'{bits}UC{channels}'] = encodings[f'{name}{bits}']
    uyvy = PixelFormat(np.dtype('u1'), 2, partial(_yuv422, cv2.COLOR_YUV2RGB_UYVY))
    yuyv = PixelFormat(np.dtype('u1'), 2, partial(_yuv422, cv2.COLOR_YUV2RGB_YUYV))
    encodings |= {'yuv422': uyvy, 'uyvy': uyvy, 'yuv422_yuy2': yuyv, 'yuyv': yuyv}
    return encodings | {f'32FC{n}': PixelFormat(np.dtype('f4'), n) for n in (1, 3)}


ENCODINGS = _encodings()
"""Every supported encoding by its ROS name (``sensor_msgs/image_encodings.h``)."""

RESULT_ENCODINGS = ('mono8', '8UC1', '16UC1', '32FC1', '32FC3')
"""Encodings of class ids, depth and normals, predicted or annotated."""
