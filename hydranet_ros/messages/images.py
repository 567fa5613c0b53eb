# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Convert image messages, received or read from a bag, to arrays and back; without ROS.

The usual encodings of cameras are decoded here with numpy and OpenCV, so that the result does not
depend on the installed cv_bridge. All other encodings are passed to cv_bridge, if it is installed.
A message is any object with the fields of its type.
"""

from __future__ import annotations

from collections.abc import Callable
import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.encodings import ENCODINGS, PixelFormat
from hydranet_ros.messages.planar_images import PLANAR_FORMATS, planar_to_rgb

_FIRST_UPPER_VALUE = 1 << 12
"""The smallest 16-bit value that 12 bits cannot hold."""


def message_to_rgb(message: Any) -> NDArray[np.uint8]:
    """Decode a ``sensor_msgs/Image`` or ``CompressedImage`` to H×W×3 uint8 RGB."""
    return compressed_to_rgb(message) if hasattr(message, 'format') else image_to_rgb(message)


def image_to_rgb(message: Any) -> NDArray[np.uint8]:
    """
    Decode a ``sensor_msgs/Image`` to H×W×3 uint8 RGB, where possible a view of its data.

    The message may have any colour encoding of `ENCODINGS` in either byte order, or of
    `PLANAR_FORMATS`, with or without padded rows; other encodings need cv_bridge. Raises
    HydranetError if the encoding is not supported or the data does not fit the header.
    """
    if message.encoding in PLANAR_FORMATS:
        return planar_to_rgb(message)
    pixel_format = ENCODINGS.get(message.encoding)
    if pixel_format is None or pixel_format.convert is None:
        return _by_cv_bridge(message)
    return pixel_format.to_rgb(view_pixels(message, pixel_format))


def compressed_to_rgb(message: Any) -> NDArray[np.uint8]:
    """
    Decode a ``sensor_msgs/CompressedImage`` (JPEG, PNG) to H×W×3 uint8 RGB.

    The format is that of image_transport's compressed plugin. Raises HydranetError if the data is
    not a complete image.
    """
    encoding, _, stored = message.format.partition(';')
    encoding = encoding.strip()
    # A Bayer mosaic is compressed unchanged. A rotation in the file's metadata is ignored, because
    # the calibration refers to the stored pixels.
    mosaic = encoding.startswith('bayer_') and encoding in ENCODINGS
    mode = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH if mosaic else cv2.IMREAD_COLOR
    pixels = decode_file(message.data, message.format, mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if mosaic and pixels.dtype == np.uint8:  # JPEG has 8 bits only
        encoding = encoding.replace('16', '8')
    if mosaic:
        return ENCODINGS[encoding].to_rgb(pixels)
    # Old publishers compressed RGB as if it were BGR; their format says so.
    if 'compressed rgb' in stored:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def view_pixels(message: Any, pixel_format: PixelFormat) -> NDArray:
    """
    View the data of an image as H×W or H×W×C pixels, without the padding of rows.

    The view has the message's byte order. Raises HydranetError if the data does not fit the
    header.
    """
    height, width, step = message.height, message.width, message.step
    what = f'An image of {width}×{height} pixels, encoding {message.encoding}'
    if height == 0 or width == 0:
        raise HydranetError(f'{what}, is empty.')
    itemsize = pixel_format.dtype.itemsize
    row = width * pixel_format.channels * itemsize
    if step < row:
        raise HydranetError(f'{what}, has a step of {step} bytes; a row needs {row}.')
    needed = (height - 1) * step + row
    if len(message.data) < needed:
        raise HydranetError(f'{what}, needs {needed} bytes of data and has {len(message.data)}.')
    shape: tuple[int, ...] = (height, width, pixel_format.channels)
    strides: tuple[int, ...] = (step, pixel_format.channels * itemsize, itemsize)
    if pixel_format.channels == 1:
        shape, strides = shape[:2], strides[:2]
    dtype = pixel_format.dtype.newbyteorder('>' if message.is_bigendian else '<')
    return np.ndarray(shape, dtype, buffer=message.data, strides=strides)


class LowBitsCheck:
    """
    Finds out whether a camera leaves the upper bits of 16-bit images unused.

    Many cameras deliver 10 or 12 bits, in the lower bits of 16. Such images look almost black,
    because only the upper byte of 16-bit values is used.
    """

    def __init__(self) -> None:
        self._uses_upper_bits = False

    def fault(self, message: Any) -> str:
        """Return a sentence if this image and all before it are below 4096; '' otherwise."""
        pixel_format = ENCODINGS.get(getattr(message, 'encoding', ''))
        if self._uses_upper_bits or pixel_format is None or pixel_format.dtype != np.uint16:
            return ''
        largest = view_pixels(message, pixel_format).max()
        self._uses_upper_bits = bool(largest >= _FIRST_UPPER_VALUE)
        if self._uses_upper_bits:
            return ''
        return (
            f'No value of the {message.encoding} images reaches {_FIRST_UPPER_VALUE}: if the '
            'camera delivers 10 or 12 bits, publish them in the upper bits, or as 8 bits.'
        )


def image_fields(pixels: NDArray, encoding: str) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """
    Return the fields of a ``sensor_msgs/Image`` other than header and data, then the data.

    The pixels are H×W(×C); the data is a view of them if they are contiguous. Raises ValueError if
    the encoding cannot hold the pixels.
    """
    pixel_format = ENCODINGS[encoding]
    height, width = pixels.shape[:2]
    shape = (height, width, pixel_format.channels)[: 2 + (pixel_format.channels > 1)]
    if pixels.dtype != pixel_format.dtype or pixels.shape != shape:
        raise ValueError(f'{encoding} cannot hold {pixels.dtype} of shape {pixels.shape}')
    fields = {
        'height': height,
        'width': width,
        'encoding': encoding,
        'is_bigendian': int(sys.byteorder == 'big'),
        'step': width * pixel_format.channels * pixels.itemsize,
    }
    return fields, np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)


def decode_file(data: Any, form: str, mode: int) -> NDArray:
    """Decode a JPEG or PNG in memory with ``cv2.imdecode``; errors quote the format ``form``."""
    content = np.frombuffer(data, np.uint8)
    try:
        pixels = cv2.imdecode(content, mode)
    except cv2.error:  # raised for empty data
        pixels = None
    if pixels is None:
        raise HydranetError(
            f'A compressed image of {content.size} bytes and format {form!r} cannot be decoded; '
            'it must be a complete JPEG or PNG.'
        )
    return np.asarray(pixels)


def _by_cv_bridge(message: Any) -> NDArray[np.uint8]:
    """Use cv_bridge, if it is installed, for an encoding that `ENCODINGS` cannot convert."""
    convert = _cv_bridge_converter()
    known = [name for name, pixel_format in ENCODINGS.items() if pixel_format.convert]
    sentence = (
        f'Images of encoding {message.encoding!r} are not supported; publish one of '
        f'{", ".join([*known, *PLANAR_FORMATS])}.'
    )
    if convert is None:
        raise HydranetError(sentence)
    from cv_bridge import CvBridgeError

    try:
        return np.ascontiguousarray(convert(message, 'rgb8'))
    except (CvBridgeError, cv2.error, KeyError, TypeError, ValueError) as error:
        raise HydranetError(sentence) from error


def _cv_bridge_converter() -> Callable[[Any, str], NDArray[np.uint8]] | None:
    """Return the conversion of cv_bridge, None if cv_bridge is missing or does not fit NumPy."""
    try:
        from cv_bridge import CvBridge
    except (ImportError, AttributeError):
        return None
    return CvBridge().imgmsg_to_cv2
