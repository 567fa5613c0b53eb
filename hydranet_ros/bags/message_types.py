# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Message types in bags, and building messages without ROS."""

from __future__ import annotations

from functools import cache
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.poses import quaternion
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.images import image_fields
from hydranet_ros.messages.stamps import NANOSECONDS

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

IMAGE_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE_TYPE = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
TF_TYPE = 'tf2_msgs/msg/TFMessage'

# Starts each part of concatenated IDL definitions; .msg definitions do not have it.
_IDL_SEPARATOR = '=' * 80 + '\nIDL: '
# ROS 2 writes an unlimited duration as 2^63 - 1 nanoseconds.
_INFINITE_SECONDS, _INFINITE_NANOSECONDS = divmod(2**63 - 1, NANOSECONDS)


def new_typestore() -> Typestore:
    """Return a new store of the message types that are part of ROS 2."""
    from rosbags.typesys import get_typestore, Stores

    return get_typestore(Stores.LATEST)


def register_type(store: Typestore, message_type: str, definition: str) -> None:
    """Add a message type to a store; types that are not part of ROS 2 need a definition."""
    from rosbags.typesys import get_types_from_idl, get_types_from_msg, TypesysError

    if message_type in store.types:
        return
    if not definition:
        raise HydranetError(f'The message type {message_type} is unknown and has no definition.')
    try:
        if definition.startswith(_IDL_SEPARATOR):
            for part in definition.split(_IDL_SEPARATOR)[1:]:
                store.register(get_types_from_idl(part.partition('\n')[2]))
        else:
            store.register(get_types_from_msg(definition, message_type))
    except TypesysError as error:
        raise HydranetError(
            f'The definition of the message type {message_type} cannot be read: {error}'
        ) from error


def latched_qos() -> Any:
    """Return the QoS profile of a reliable, transient-local publisher of one message."""
    from rosbags import interfaces

    forever = interfaces.QosTime(_INFINITE_SECONDS, _INFINITE_NANOSECONDS)
    return interfaces.Qos(
        history=interfaces.QosHistory.KEEP_LAST,
        depth=1,
        reliability=interfaces.QosReliability.RELIABLE,
        durability=interfaces.QosDurability.TRANSIENT_LOCAL,
        deadline=forever,
        lifespan=forever,
        liveliness=interfaces.QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )


def image_message(
    image: np.ndarray, time: int, *, encoding: str = 'rgb8', frame_id: str = 'camera'
) -> Any:
    """Build a ``sensor_msgs/msg/Image`` of H×W(×C) pixels with a stamp in nanoseconds."""
    fields, data = image_fields(image, encoding)
    return _type(IMAGE_TYPE)(header=_header(time, frame_id), data=data, **fields)


def compressed_image_message(
    rgb: NDArray[np.uint8], time: int, *, suffix: str = 'png', frame_id: str = 'camera'
) -> Any:
    """
    Build a ``sensor_msgs/msg/CompressedImage``, as image_transport does for an rgb8 image.

    ``time`` is the stamp in nanoseconds; ``suffix`` is ``png`` (lossless) or ``jpeg`` (quality
    95).
    """
    data = cv2.imencode(f'.{suffix}', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1]
    return _type(COMPRESSED_IMAGE_TYPE)(
        header=_header(time, frame_id), format=f'rgb8; {suffix} compressed bgr8', data=data
    )


def transform_message(pose: NDArray[np.float64], time: int, *, parent: str, child: str) -> Any:
    """
    Build a ``tf2_msgs/msg/TFMessage`` from the 4×4 pose of ``child`` in ``parent``.

    ``time`` is the stamp in nanoseconds.
    """
    x, y, z, w = (float(value) for value in quaternion(pose[:3, :3]))
    across, down, ahead = (float(value) for value in pose[:3, 3])
    transform = _type('geometry_msgs/msg/Transform')(
        translation=_type('geometry_msgs/msg/Vector3')(x=across, y=down, z=ahead),
        rotation=_type('geometry_msgs/msg/Quaternion')(x=x, y=y, z=z, w=w),
    )
    stamped = _type('geometry_msgs/msg/TransformStamped')(
        header=_header(time, parent), child_frame_id=child, transform=transform
    )
    return _type(TF_TYPE)(transforms=[stamped])


def camera_info_message(
    width: int,
    height: int,
    focal_length: float,
    time: int,
    *,
    matrix: NDArray[np.float64] | None = None,
    frame_id: str = 'camera',
) -> Any:
    """
    Build a ``sensor_msgs/msg/CameraInfo`` of a camera without distortion.

    The focal length is in pixels, and the principal point is the centre of the image; ``matrix``
    (3×3) replaces both. ``time`` is the stamp in nanoseconds.
    """
    fx, cx, cy = float(focal_length), (width - 1) / 2, (height - 1) / 2
    if matrix is None:
        matrix = np.array([[fx, 0, cx], [0, fx, cy], [0, 0, 1]])
    return _type(CAMERA_INFO_TYPE)(
        header=_header(time, frame_id),
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=matrix.astype(np.float64).reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([matrix, np.zeros((3, 1))]).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=_type('sensor_msgs/msg/RegionOfInterest')(
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        ),
    )


def _header(time: int, frame_id: str) -> Any:
    """Build a header."""
    seconds, nanoseconds = divmod(time, NANOSECONDS)
    stamp = _type('builtin_interfaces/msg/Time')(sec=seconds, nanosec=nanoseconds)
    return _type('std_msgs/msg/Header')(stamp=stamp, frame_id=frame_id)


@cache
def _type(name: str) -> Any:
    """Return the class of a message type that is part of ROS 2."""
    return new_typestore().types[name]
