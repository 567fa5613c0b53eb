# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Find the camera_info that belongs to an image, and make a `Camera` from it; without ROS.

A message is any object with the fields of ``sensor_msgs/CameraInfo``.
"""

from __future__ import annotations

from collections import deque
import threading
from typing import Any

import numpy as np

from hydranet_ros.camera.camera import Camera

CAPACITY = 30
"""Number of messages kept, so that an image that waited for the network finds its message."""


class CameraInfoBuffer:
    """The latest CameraInfo messages; all methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: deque[Any] = deque(maxlen=CAPACITY)

    def put(self, message: Any) -> None:
        """Add a message; the oldest is dropped if the buffer is full."""
        with self._lock:
            self._messages.append(message)

    def match(self, header: Any) -> Any | None:
        """
        Return the message that belongs to an image with this header.

        This is the message with the image's frame_id and stamp. If it is missing, return the
        latest message with the frame_id, because calibrations hardly change and the image may
        arrive before its message. Without any message with the frame_id, return None.
        """
        with self._lock:
            same_frame = [m for m in self._messages if m.header.frame_id == header.frame_id]
        for message in reversed(same_frame):
            if message.header.stamp == header.stamp:
                return message
        return same_frame[-1] if same_frame else None

    def latest_frame_id(self) -> str | None:
        """Return the frame_id of the latest message, None before the first."""
        with self._lock:
            return self._messages[-1].header.frame_id if self._messages else None


def camera_of_frame(
    message: Any | None, width: int, height: int, *, rectified: bool
) -> Camera | None:
    """
    Return the camera of a frame; its ``focal_length`` scales the frame's depth.

    Both the node and the evaluation of bags obtain the focal length here. ``message`` is the
    calibration that belongs to the frame; if it is None, so is the camera. Rectified frames use
    ``P``, others ``K`` and the lens model.
    """
    if message is None:
        return None
    camera = camera_of(message, width, height)
    return camera.rectified() if rectified else camera


def camera_of(message: Any, width: int, height: int) -> Camera:
    """
    Return the camera that took an image of this size in pixels.

    The calibration may be for another size of the same view. Its region of interest and binning
    are applied.
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
