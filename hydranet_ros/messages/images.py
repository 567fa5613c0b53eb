# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Image messages to RGB, received or read from a bag, without ROS.

The encodings that cameras publish are decoded here, through numpy views and OpenCV, so that the
result does not depend on which cv_bridge, NumPy and OpenCV happen to be installed together;
``cv_bridge``, where there is one, is asked about every other encoding. A message is any object
with the fields of its type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.encodings import ENCODINGS, PixelFormat


def image_to_rgb(message: Any) -> NDArray[np.uint8]:
    """
    Decode a ``sensor_msgs/Image``.

    Parameters
    ----------
    message
        Any encoding of :data:`~hydranet_ros.messages.encodings.ENCODINGS`, rows padded or not,
        either byte order; others if a cv_bridge is installed that knows them.

    Returns
    -------
    H×W×3 uint8, RGB. Where possible it is a view of the message's data.

    Raises
    ------
    HydranetError
        If the encoding is not known or the data does not fit the header.

    """
    pixel_format = ENCODINGS.get(message.encoding)
    if pixel_format is None:
        return _by_cv_bridge(message)
    return pixel_format.to_rgb(_pixels(message, pixel_format))


def compressed_to_rgb(message: Any) -> NDArray[np.uint8]:
    """
    Decode a ``sensor_msgs/CompressedImage`` (JPEG, PNG) of image_transport's compressed plugin.

    Returns
    -------
    H×W×3 uint8, RGB.

    Raises
    ------
    HydranetError
        If the data is no complete image.

    """
    encoding, _, stored = message.format.partition(';')
    encoding = encoding.strip()
    # A Bayer mosaic is compressed as it is. A rotation noted in the file is not for us to apply:
    # the calibration is about the pixels as they are stored.
    mosaic = encoding.startswith('bayer_') and encoding in ENCODINGS
    mode = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH if mosaic else cv2.IMREAD_COLOR
    data = np.frombuffer(message.data, np.uint8)
    pixels = _decode(data, mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise HydranetError(
            f'A compressed image of {data.size} bytes and format {message.format!r} cannot be '
            'decoded; it must be a complete JPEG or PNG.'
        )
    if mosaic and pixels.dtype == np.uint8:  # a JPEG has no more
        encoding = encoding.replace('16', '8')
    if mosaic:
        return ENCODINGS[encoding].to_rgb(pixels)
    # Old publishers stored RGB where the file format says BGR, and say so in the format.
    if 'compressed rgb' in stored:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _pixels(message: Any, pixel_format: PixelFormat) -> NDArray:
    """View the data as H×W or H×W×C pixels, without the rows' padding."""
    height, width, step = message.height, message.width, message.step
    what = f'An image of {width}×{height} pixels, encoding {message.encoding}'
    if height == 0 or width == 0:
        raise HydranetError(f'{what}, is empty.')
    itemsize = pixel_format.dtype.itemsize
    row = width * pixel_format.channels * itemsize
    if step < row:
        raise HydranetError(f'{what}, has a step of {step} bytes, less than the {row} of a row.')
    needed = (height - 1) * step + row
    if len(message.data) < needed:
        raise HydranetError(f'{what}, needs {needed} bytes of data and has {len(message.data)}.')
    shape: tuple[int, ...] = (height, width, pixel_format.channels)
    strides: tuple[int, ...] = (step, pixel_format.channels * itemsize, itemsize)
    if pixel_format.channels == 1:
        shape, strides = shape[:2], strides[:2]
    dtype = pixel_format.dtype.newbyteorder('>' if message.is_bigendian else '<')
    return np.ndarray(shape, dtype, buffer=message.data, strides=strides)


def _decode(data: NDArray[np.uint8], mode: int) -> NDArray | None:
    """Decode an image file in memory, None if it is none."""
    try:
        return cv2.imdecode(data, mode)
    except cv2.error:  # how empty data is refused
        return None


def _by_cv_bridge(message: Any) -> NDArray[np.uint8]:
    """Let the installed cv_bridge, if there is one, decode an encoding that is not known here."""
    convert = _cv_bridge_converter()
    sentence = (
        f'Images of encoding {message.encoding!r} are not supported; publish one of '
        f'{", ".join(ENCODINGS)}.'
    )
    if convert is None:
        raise HydranetError(sentence)
    from cv_bridge import CvBridgeError

    try:
        return np.ascontiguousarray(convert(message, 'rgb8'))
    except (CvBridgeError, cv2.error, KeyError, TypeError, ValueError) as error:
        raise HydranetError(sentence) from error


def _cv_bridge_converter() -> Callable[[Any, str], NDArray[np.uint8]] | None:
    """Return cv_bridge's conversion, None where it is missing or broken by another NumPy."""
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):
        return None
    return CvBridge().imgmsg_to_cv2
