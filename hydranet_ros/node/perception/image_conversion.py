# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images from numpy arrays to ROS messages; the other way is ``hydranet_ros.messages.images``."""

from __future__ import annotations

import array
import sys

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

# Of zlib, 0 to 9: class ids compress well at once, and more effort costs time.
_PNG_LEVEL = 1

_OUTPUT_TYPES: dict[str, tuple[type[np.generic], int]] = {
    'mono8': (np.uint8, 1),
    'rgb8': (np.uint8, 3),
    '16UC1': (np.uint16, 1),
    '32FC1': (np.float32, 1),
    '32FC3': (np.float32, 3),
}


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


def array_to_png(pixels: NDArray[np.uint8], header: Header) -> CompressedImage:
    """
    Make a message as image_transport's compressed plugin does of a mono8 image: without loss.

    Parameters
    ----------
    pixels
        H×W uint8.
    header
        Used as it is.

    """
    _, encoded = cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    data = array.array('B')
    data.frombytes(encoded.data)
    return CompressedImage(header=header, format='mono8; png compressed ', data=data)
