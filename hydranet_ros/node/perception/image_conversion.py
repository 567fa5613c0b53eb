# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images from numpy arrays to ROS messages; the other way is ``hydranet_ros.messages.images``."""

from __future__ import annotations

import array

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hydranet_ros.messages.images import image_fields

_PNG_LEVEL = 1  # of zlib, 0 to 9: class ids compress well, and a higher level costs time


def array_to_image(pixels: NDArray, encoding: str, header: Header) -> Image:
    """Make an image message of H×W(×C) pixels of the encoding's type; they are copied once."""
    fields, content = image_fields(pixels, encoding)
    # An array('B') is the one type that rclpy takes over without looking at every byte.
    data = array.array('B')
    data.frombytes(content.data)
    return Image(header=header, data=data, **fields)


def array_to_png(pixels: NDArray[np.uint8], header: Header) -> CompressedImage:
    """Make a message of H×W ids as image_transport compresses a mono8 image: without loss."""
    _, encoded = cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    data = array.array('B')
    data.frombytes(encoded.data)
    return CompressedImage(header=header, format='mono8; png compressed ', data=data)
