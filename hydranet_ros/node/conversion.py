# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Images between ROS messages and numpy arrays.

The encodings that cameras publish are decoded here, through numpy views and OpenCV, so that the
result does not depend on which cv_bridge, NumPy and OpenCV happen to be installed together;
``cv_bridge``, where there is one, is asked about every other encoding.
"""

from __future__ import annotations

import array
from collections.abc import Callable
import sys

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hydranet_ros.errors import HydranetError
from hydranet_ros.node.encodings import ENCODINGS, PixelFormat

_OUTPUT_TYPES: dict[str, tuple[type[np.generic], int]] = {
    'mono8': (np.uint8, 1),
    'rgb8': (np.uint8, 3),
    '16UC1': (np.uint16, 1),
    '32FC1': (np.float32, 1),
    '32FC3': (np.float32, 3),
}


def image_to_rgb(message: Image) -> NDArray[np.uint8]:
    """
    Decode an image message.

    Parameters
    ----------
    message
        Any encoding of :data:`hydranet_ros.node.encodings.ENCODINGS`, rows padded or not, either
        byte order; others if a cv_bridge is installed that knows them.

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


def compressed_to_rgb(message: CompressedImage) -> NDArray[np.uint8]:
    """
    Decode a JPEG or PNG message, as image_transport's compressed plugin publishes it.

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
    mode = cv2.IMREAD_GRAYSCALE if mosaic else cv2.IMREAD_COLOR
    data = np.frombuffer(message.data, np.uint8)
    pixels = _decode(data, mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise HydranetError(
            f'A compressed image of {data.size} bytes and format {message.format!r} cannot be '
            'decoded; it must be a complete JPEG or PNG.'
        )
    if mosaic:
        return ENCODINGS[encoding].to_rgb(pixels)
    # Old publishers stored RGB where the file format says BGR, and say so in the format.
    if 'compressed rgb' in stored:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def array_to_image(pixels: NDArray, encoding: str, header: Header) -> Image:
    """
    Make an image message.

    Parameters
    ----------
    pixels
        H×W or H×W×C array of the encoding's type; copied once.
    encoding
        ``mono8``, ``rgb8``, ``16UC1``, ``32FC1`` or ``32FC3``.
    header
        Used as it is.

    """
    dtype, channels = _OUTPUT_TYPES[encoding]
    shape = pixels.shape[:2] if channels == 1 else (*pixels.shape[:2], channels)
    if pixels.dtype != dtype or pixels.shape != shape:
        raise ValueError(f'{encoding} cannot hold {pixels.dtype} of shape {pixels.shape}')
    # An array('B') is the one type that rclpy takes over without looking at every byte.
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).data.cast('B'))
    return Image(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(sys.byteorder == 'big'),
        step=pixels.shape[1] * channels * pixels.itemsize,
        data=data,
    )


def _pixels(message: Image, pixel_format: PixelFormat) -> NDArray:
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


def _decode(data: NDArray[np.uint8], mode: int) -> NDArray[np.uint8] | None:
    """Decode an image file in memory, None if it is none."""
    try:
        pixels = cv2.imdecode(data, mode)
    except cv2.error:  # how empty data is refused
        return None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _by_cv_bridge(message: Image) -> NDArray[np.uint8]:
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


def _cv_bridge_converter() -> Callable[[Image, str], NDArray[np.uint8]] | None:
    """Return cv_bridge's conversion, None where it is missing or broken by another NumPy."""
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):
        return None
    return CvBridge().imgmsg_to_cv2
