# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Organised clouds as PointCloud2, by ``sensor_msgs_py`` if it is installed."""

from __future__ import annotations

import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from hydranet_ros.camera.points import POINT

_DATATYPES = {'<f4': PointField.FLOAT32, '<u4': PointField.UINT32}
_NUMBER_BYTES = 4


def _fields() -> list[PointField]:
    """Describe the fields of a point; each has four bytes."""
    return [
        PointField(
            name=name, offset=index * _NUMBER_BYTES, datatype=_DATATYPES[str(kind)], count=1
        )
        for index, (name, kind, *_) in enumerate(POINT.descr)
    ]


def pack_points(header: Header, fields: Sequence[PointField], points: NDArray) -> PointCloud2:
    """Make a message of a one-dimensional structured array, as ``sensor_msgs_py`` does."""
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(points).view(np.uint8).data)
    return PointCloud2(
        header=header,
        height=1,
        width=len(points),
        is_dense=False,
        is_bigendian=False,
        fields=fields,
        point_step=points.itemsize,
        row_step=points.itemsize * len(points),
        data=data,
    )


try:
    from sensor_msgs_py.point_cloud2 import create_cloud
except ImportError:
    create_cloud = pack_points


def cloud_message(cloud: NDArray, header: Header) -> PointCloud2:
    """Make the message of an organised cloud of `hydranet_ros.camera.points.POINT`."""
    message: PointCloud2 = create_cloud(header, _fields(), cloud.ravel())
    # Given a two-dimensional cloud, sensor_msgs_py swaps height and width.
    message.height, message.width = cloud.shape
    message.row_step = message.point_step * message.width
    return message
