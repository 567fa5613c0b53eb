# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Messages of labels, depth and normals, predicted or true, to arrays; without ROS.

A message is any object with the fields of ``sensor_msgs/Image``, or of
``sensor_msgs/CompressedImage`` as image_transport's plugins ``compressed`` and ``compressedDepth``
write it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError

# Encodings of predictions and of ground truth: numpy's type and the number of channels.
_ENCODINGS = {
    'mono8': ('u1', 1),
    '8UC1': ('u1', 1),
    '16UC1': ('u2', 1),
    '32FC1': ('f4', 1),
    '32FC3': ('f4', 3),
}
_MILLIMETRE = np.float32(0.001)
# What compressedDepth puts before its PNG: an enumerator and the two parameters of the
# quantisation of inverse depth.
_DEPTH_HEADER = struct.Struct('<iff')


def read_labels(message: Any) -> NDArray[np.uint8]:
    """
    Return class ids.

    Parameters
    ----------
    message
        An image of encoding mono8 or 8UC1, or a compressed one of PNG, 8 bits.

    Returns
    -------
    H×W uint8.

    Raises
    ------
    HydranetError
        If it is something else: ids do not survive colours or JPEG.

    """
    if hasattr(message, 'format'):
        data = bytes(message.data)
        if not data.startswith(b'\x89PNG'):
            raise HydranetError(
                f'Labels of format {message.format!r} are no PNG; other compression changes ids.'
            )
        values = _decode(data, message.format)
    else:
        values = image_values(message)
    if values.dtype != np.uint8 or values.ndim != 2:
        raise HydranetError(
            f'Labels must have one channel of 8 bits (mono8), not {_kind(message)!r}.'
        )
    return values


def read_depth(message: Any) -> NDArray[np.float32]:
    """
    Return depth in metres.

    Parameters
    ----------
    message
        An image of encoding 32FC1 (metres) or 16UC1 (millimetres), or one compressed by
        compressedDepth (PNG) or as a 16-bit PNG.

    Returns
    -------
    H×W float32; NaN where invalid.

    Raises
    ------
    HydranetError
        If it is something else.

    """
    values = _compressed_depth(message) if hasattr(message, 'format') else image_values(message)
    if values.dtype not in (np.uint16, np.float32) or values.ndim != 2:
        raise HydranetError(
            'Depth must be 32FC1 in metres or 16UC1 in millimetres (REP 118), not '
            f'{_kind(message)!r}.'
        )
    metres = values * _MILLIMETRE if values.dtype == np.uint16 else values
    valid = np.isfinite(metres) & (metres > 0)
    return np.where(valid, metres, np.float32(np.nan)).astype(np.float32)


def read_normals(message: Any) -> NDArray[np.float32]:
    """
    Return surface normals.

    Parameters
    ----------
    message
        An image of encoding 32FC3: x right, y down, z forward; NaN where unknown.

    Returns
    -------
    H×W×3 float32.

    Raises
    ------
    HydranetError
        If it is something else.

    """
    if hasattr(message, 'format') or message.encoding != '32FC3':
        raise HydranetError(f'Normals must be 32FC3, not {_kind(message)!r}.')
    return np.asarray(image_values(message), np.float32)


def image_values(message: Any) -> NDArray:
    """
    Return the values of an image as the node publishes it.

    Parameters
    ----------
    message
        A decoded ``sensor_msgs/msg/Image`` of encoding mono8, 8UC1, 16UC1, 32FC1 or 32FC3.

    Returns
    -------
    NDArray
        H×W or H×W×3, in this machine's byte order.

    Raises
    ------
    HydranetError
        If the encoding is another one or the data is too short.

    """
    if message.encoding not in _ENCODINGS:
        raise HydranetError(
            f'A result of encoding {message.encoding!r} cannot be read; expected one of '
            f'{", ".join(_ENCODINGS)}.'
        )
    kind, channels = _ENCODINGS[message.encoding]
    dtype = np.dtype(kind).newbyteorder('>' if message.is_bigendian else '<')
    shape = (message.height, message.width, channels)
    strides = (message.step, channels * dtype.itemsize, dtype.itemsize)
    try:
        values = np.ndarray(shape, dtype, buffer=memoryview(message.data), strides=strides)
    except (TypeError, ValueError) as error:
        raise HydranetError(
            f'An image of {message.width}×{message.height} pixels, encoding {message.encoding}, '
            f'has {len(message.data)} bytes, which is too few.'
        ) from error
    values = values.astype(dtype.newbyteorder('='), copy=False)
    return values[..., 0] if channels == 1 else values


READERS: Mapping[str, Callable[[Any], NDArray]] = {
    'segmentation': read_labels,
    'depth': read_depth,
    'normals': read_normals,
}
"""Task name to how its messages are read."""


def _compressed_depth(message: Any) -> NDArray:
    """Undo image_transport's compressedDepth, or a plain PNG."""
    data = bytes(message.data)
    if 'compressedDepth' not in message.format:
        return _decode(data, message.format)
    if message.format.partition(';')[2].strip().endswith('rvl'):
        raise HydranetError(
            f'Depth of format {message.format!r} cannot be read; record it as PNG or raw.'
        )
    if len(data) <= _DEPTH_HEADER.size:
        raise HydranetError(f'A compressed depth image of {len(data)} bytes is not complete.')
    _, slope, offset = _DEPTH_HEADER.unpack_from(data)
    steps = _decode(data[slice(_DEPTH_HEADER.size, None)], message.format)
    if not message.format.startswith('32FC1'):
        return steps
    inverse = steps.astype(np.float32) - np.float32(offset)
    with np.errstate(divide='ignore'):
        metres = np.float32(slope) / inverse
    return np.where(steps > 0, metres, np.float32(np.nan)).astype(np.float32)


def _decode(data: bytes, what: str) -> NDArray:
    """Decode an image file with its own values."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if values is None:
        raise HydranetError(
            f'A compressed image of {len(data)} bytes and format {what!r} is not complete.'
        )
    return np.asarray(values)


def _kind(message: Any) -> str:
    return str(message.format if hasattr(message, 'format') else message.encoding)
