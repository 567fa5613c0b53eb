# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The pixel formats of cameras and how each becomes RGB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelFormat:
    """
    A pixel format.

    Attributes
    ----------
    dtype
        Of one channel.
    channels
        Number of channels.
    convert
        H×W(×C) uint8 to H×W×3 uint8 RGB.

    """

    dtype: np.dtype
    channels: int
    convert: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

    def to_rgb(self, pixels: NDArray) -> NDArray[np.uint8]:
        """
        Convert pixels of this format.

        Parameters
        ----------
        pixels
            H×W(×C) of the format's type in any byte order; of 16-bit values the upper byte is
            used.

        Returns
        -------
        H×W×3 uint8 RGB, rows contiguous.

        """
        if self.dtype.itemsize == 2:
            pixels = (pixels >> 8).astype(np.uint8)
        return self.convert(pixels)


def _as_it_is(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB pixels; a copy only if rows are padded."""
    return np.ascontiguousarray(pixels)


def _opencv(code: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Return the conversion by an OpenCV colour code."""
    return lambda pixels: np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _yuv422(code: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert pairs of pixels that share their colour; the last one of an odd row is alone."""
    width = pixels.shape[1]
    if width % 2 == 0:
        return np.asarray(cv2.cvtColor(pixels, code), np.uint8)
    # Of the last pair only the first pixel was sent: its missing half of the colour comes from
    # the pair before (from itself in an image one pixel wide).
    complete = np.concatenate([pixels, pixels[:, max(width - 2, 0)][:, None]], axis=1)
    return np.ascontiguousarray(cv2.cvtColor(complete, code)[:, :width], np.uint8)


def _formats() -> dict[str, PixelFormat]:
    """Build the table by encoding name (``sensor_msgs/image_encodings.h``)."""
    colors = {
        'rgb': (3, _as_it_is),
        'bgr': (3, _opencv(cv2.COLOR_BGR2RGB)),
        'rgba': (4, _opencv(cv2.COLOR_RGBA2RGB)),
        'bgra': (4, _opencv(cv2.COLOR_BGRA2RGB)),
        'mono': (1, _opencv(cv2.COLOR_GRAY2RGB)),
        # OpenCV names a mosaic after the second row's second and third pixel.
        'bayer_rggb': (1, _opencv(cv2.COLOR_BayerBG2RGB)),
        'bayer_bggr': (1, _opencv(cv2.COLOR_BayerRG2RGB)),
        'bayer_gbrg': (1, _opencv(cv2.COLOR_BayerGR2RGB)),
        'bayer_grbg': (1, _opencv(cv2.COLOR_BayerGB2RGB)),
    }
    formats = {
        f'{name}{bits}': PixelFormat(np.dtype(f'u{bits // 8}'), channels, convert)
        for bits in (8, 16)
        for name, (channels, convert) in colors.items()
    }
    # Without names of the channels OpenCV's own order is what publishers mean.
    for bits in (8, 16):
        for channels, name in ((1, 'mono'), (3, 'bgr'), (4, 'bgra')):
            formats[f'{bits}UC{channels}'] = formats[f'{name}{bits}']
    uyvy = PixelFormat(np.dtype('u1'), 2, partial(_yuv422, cv2.COLOR_YUV2RGB_UYVY))
    yuyv = PixelFormat(np.dtype('u1'), 2, partial(_yuv422, cv2.COLOR_YUV2RGB_YUYV))
    return formats | {'yuv422': uyvy, 'uyvy': uyvy, 'yuv422_yuy2': yuyv, 'yuyv': yuyv}


ENCODINGS = _formats()
"""Every supported encoding by its ROS name."""
