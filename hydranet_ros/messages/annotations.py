# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Read predicted or annotated labels, depth and normals from messages; without ROS.

A message is any object with the fields of ``sensor_msgs/Image``, or of the
``sensor_msgs/CompressedImage`` that image_transport's plugins ``compressed`` and
``compressedDepth`` write. A reader raises HydranetError for types and encodings that its docstring
does not list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.encodings import ENCODINGS, RESULT_ENCODINGS
from hydranet_ros.messages.images import decode_file, view_pixels

_MILLIMETRE = np.float32(0.001)
# The header of compressedDepth before the PNG: an enumerator and two parameters of inverse-depth
# quantisation.
_DEPTH_HEADER = struct.Struct('<iff')


def read_labels(message: Any) -> NDArray[np.uint8]:
    """Return H×W class ids from a mono8 or 8UC1 image, or from an 8-bit PNG."""
    if hasattr(message, 'format'):
        data = bytes(message.data)
        if not data.startswith(b'\x89PNG'):
            raise HydranetError(
                f'Labels of format {message.format!r} are not PNG; lossy compression changes ids.'
            )
        values = _decode(data, message)
    else:
        values = image_values(message)
    if values.dtype != np.uint8 or values.ndim != 2:
        raise HydranetError(
            f'Labels must have one channel of 8 bits (mono8), not {_kind(message)!r}.'
        )
    return values


def read_depth(message: Any) -> NDArray[np.float32]:
    """
    Return H×W depth in metres, NaN where invalid.

    The image has encoding 32FC1 (metres) or 16UC1 (millimetres), or is compressed with
    compressedDepth (PNG) or as a 16-bit PNG.
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
    """Return H×W×3 surface normals (32FC3): x right, y down, z forward; NaN where unknown."""
    if hasattr(message, 'format') or message.encoding != '32FC3':
        raise HydranetError(f'Normals must be 32FC3, not {_kind(message)!r}.')
    return np.asarray(image_values(message), np.float32)


def image_values(message: Any) -> NDArray:
    """Return the H×W or H×W×3 values of an image in one of `RESULT_ENCODINGS`."""
    if message.encoding not in RESULT_ENCODINGS:
        raise HydranetError(
            f'A result of encoding {message.encoding!r} cannot be read; use one of '
            f'{", ".join(RESULT_ENCODINGS)}.'
        )
    values = view_pixels(message, ENCODINGS[message.encoding])
    return values.astype(values.dtype.newbyteorder('='), copy=False)


READERS: Mapping[str, Callable[[Any], NDArray]] = {
    'segmentation': read_labels,
    'depth': read_depth,
    'normals': read_normals,
}
"""Maps the name of a task to the reader of its messages."""


def _compressed_depth(message: Any) -> NDArray:
    """Decode a depth image from image_transport's plugin compressedDepth, or a plain PNG."""
    data = bytes(message.data)
    if 'compressedDepth' not in message.format:
        return _decode(data, message)
    if message.format.partition(';')[2].strip().endswith('rvl'):
        raise HydranetError(
            f'Depth of format {message.format!r} cannot be read; record it as PNG or raw.'
        )
    if len(data) <= _DEPTH_HEADER.size:
        raise HydranetError(f'A compressed depth image of {len(data)} bytes is not complete.')
    _, slope, offset = _DEPTH_HEADER.unpack_from(data)
    steps = _decode(data[slice(_DEPTH_HEADER.size, None)], message)
    if not message.format.startswith('32FC1'):
        return steps
    inverse = steps.astype(np.float32) - np.float32(offset)
    with np.errstate(divide='ignore'):
        metres = np.float32(slope) / inverse
    return np.where(steps > 0, metres, np.float32(np.nan)).astype(np.float32)


def _decode(data: bytes, message: Any) -> NDArray:
    return decode_file(data, message.format, cv2.IMREAD_UNCHANGED)


def _kind(message: Any) -> str:
    return str(message.format if hasattr(message, 'format') else message.encoding)
