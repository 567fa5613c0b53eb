# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The calibration that belongs to an image, brought to the image's size."""

from __future__ import annotations

from collections import deque
from copy import copy
import threading

import numpy as np
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from hydranet_ros.geometry import Camera

CAPACITY = 30
"""Messages kept, so that an image that waited for the network still finds its own."""


class CameraInfoBuffer:
    """The latest CameraInfo messages; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: deque[CameraInfo] = deque(maxlen=CAPACITY)

    def put(self, message: CameraInfo) -> None:
        """Keep a message."""
        with self._lock:
            self._messages.append(message)

    def match(self, header: Header) -> CameraInfo | None:
        """
        Return the message that belongs to an image.

        Returns
        -------
        The one of the same frame_id and stamp, else the latest of the same frame_id (a camera's
        calibration hardly changes, and the image may arrive first), else None.

        """
        with self._lock:
            same_frame = [m for m in self._messages if m.header.frame_id == header.frame_id]
        for message in reversed(same_frame):
            if message.header.stamp == header.stamp:
                return message
        return same_frame[-1] if same_frame else None

    def latest_frame_id(self) -> str | None:
        """Return the frame_id of the latest message, None if there is none."""
        with self._lock:
            return self._messages[-1].header.frame_id if self._messages else None


def camera_of(message: CameraInfo, width: int, height: int) -> Camera:
    """
    Return the camera that took an image.

    Parameters
    ----------
    message
        Its calibration, for any size of the same view. Region of interest and binning are
        applied.
    width, height
        The image's size in pixels.

    """
    matrix = np.array(message.k, np.float64).reshape(3, 3)
    projection = np.array(message.p, np.float64).reshape(3, 4)
    roi = message.roi
    crop = np.array([[1.0, 0, -roi.x_offset], [0, 1, -roi.y_offset], [0, 0, 1]])
    view = Camera(
        roi.width or message.width or width,
        roi.height or message.height or height,
        crop @ matrix,
        crop @ projection,
        message.distortion_model,
        np.array(message.d, np.float64),
    )
    return view.scaled(width, height)


def camera_info_for(message: CameraInfo, header: Header, width: int, height: int) -> CameraInfo:
    """
    Return the calibration to publish with an output.

    Parameters
    ----------
    message
        The input's calibration; not changed.
    header
        The image's.
    width, height
        The output's size in pixels.

    Returns
    -------
    The message as it is where it describes images of this size, else its intrinsics scaled.

    """
    result = copy(message)
    result.header = header
    binning = max(message.binning_x, 1), max(message.binning_y, 1)
    view = message.roi.width or message.width, message.roi.height or message.height
    if (view[0] // binning[0], view[1] // binning[1]) == (width, height):
        return result
    camera = camera_of(message, width, height)
    result.width, result.height = width, height
    result.k = camera.matrix.reshape(-1)
    result.p = camera.projection.reshape(-1)
    result.binning_x = result.binning_y = 0
    result.roi = RegionOfInterest()
    return result
