# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages from arrays: images, calibration and organised clouds."""

from __future__ import annotations

import array
from copy import copy

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import (
    CameraInfo,
    CompressedImage,
    Image,
    PointCloud2,
    PointField,
    RegionOfInterest,
)
from std_msgs.msg import Header

from hydranet_ros.camera.calibration import camera_of
from hydranet_ros.camera.points import POINT
from hydranet_ros.messages.images import image_fields

_PNG_LEVEL = 1  # of zlib, 0 to 9: class ids compress well, and a higher level costs time
_DATATYPES = {'<f4': PointField.FLOAT32, '<u4': PointField.UINT32}
_NUMBER_BYTES = 4


def array_to_image(pixels: NDArray, encoding: str, header: Header) -> Image:
    """Make an image message of H×W(×C) pixels in the dtype of the encoding."""
    fields, content = image_fields(pixels, encoding)
    return Image(header=header, data=_data(content), **fields)


def array_to_png(pixels: NDArray[np.uint8], header: Header) -> CompressedImage:
    """Compress H×W ids without loss, as image_transport does with a mono8 image."""
    _, encoded = cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    return CompressedImage(header=header, format='mono8; png compressed ', data=_data(encoded))


def cloud_message(cloud: NDArray, header: Header) -> PointCloud2:
    """Make the message of an organised H×W cloud of `hydranet_ros.camera.points.POINT`."""
    height, width = cloud.shape
    return PointCloud2(
        header=header,
        height=height,
        width=width,
        is_dense=False,
        is_bigendian=False,
        fields=_fields(),
        point_step=cloud.itemsize,
        row_step=cloud.itemsize * width,
        data=_data(cloud),
    )


def camera_info_for(message: CameraInfo, header: Header, width: int, height: int) -> CameraInfo:
    """
    Return the camera_info of an output of this size in pixels.

    The result is a copy of ``message`` with the given header. The intrinsics are scaled if the
    size differs; P is made from K if P is zero and the lens has no distortion.
    """
    result = copy(message)
    result.header = header
    binning = max(message.binning_x, 1), max(message.binning_y, 1)
    view = message.roi.width or message.width, message.roi.height or message.height
    if (view[0] // binning[0], view[1] // binning[1]) == (width, height):
        if not message.p[0] > 0 and view == (width, height):
            result.p = camera_of(message, width, height).projection.reshape(-1)
        return result
    camera = camera_of(message, width, height)
    result.width, result.height = width, height
    result.k = camera.matrix.reshape(-1)
    result.p = camera.projection.reshape(-1)
    result.binning_x = result.binning_y = 0
    result.roi = RegionOfInterest()
    return result


def _fields() -> list[PointField]:
    """Describe the fields of a point; each has four bytes."""
    return [
        PointField(
            name=name, offset=index * _NUMBER_BYTES, datatype=_DATATYPES[str(kind)], count=1
        )
        for index, (name, kind, *_) in enumerate(POINT.descr)
    ]


def _data(content: NDArray) -> array.array[int]:
    """Copy an array into an ``array.array``, the only type that rclpy does not check per byte."""
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(content).view(np.uint8).data)
    return data
