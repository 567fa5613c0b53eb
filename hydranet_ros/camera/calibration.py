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
"""Number of messages kept, so that an image that waited for inference still finds its message."""


_LARGEST_STRETCH = 1.03
"""Largest ratio between the resize factors of width and height, which rounding makes unequal."""


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


def calibration_fault(message: Any, width: int, height: int, *, rectified: bool) -> str:
    """Return what is suspicious about a calibration for images of this size; '' if nothing."""
    k_is_set, p_is_set = message.k[0] > 0, message.p[0] > 0
    if not k_is_set and p_is_set and not rectified:
        return (
            'K of camera_info is zero and P is not: if the images are rectified, set the '
            "parameter 'image_rectified', and P is used."
        )
    view_width, view_height = _view_size(message, width, height)
    stretch = (width / view_width) / (height / view_height)
    if not 1 / _LARGEST_STRETCH < stretch < _LARGEST_STRETCH:
        return (
            f'camera_info is for images of {view_width}x{view_height} and the images have '
            f'{width}x{height}: unless the images are stretched, points and depth are wrong; '
            "publish the camera_info of the camera's present mode."
        )
    if k_is_set and not p_is_set and any(message.d):
        return (
            'P of camera_info is zero, so depth/camera_info has no P for consumers such as '
            'depth_image_proc: fill in P in the camera driver.'
        )
    return ''


def camera_of(message: Any, width: int, height: int) -> Camera:
    """
    Return the camera that took an image of this size in pixels.

    The calibration may be for another size of the same view. Its region of interest and binning
    are applied. If P is zero and the lens has no distortion, P is made from K.
    """
    matrix = np.array(message.k, np.float64).reshape(3, 3)
    projection = np.array(message.p, np.float64).reshape(3, 4)
    if not projection[0, 0] > 0 and not any(message.d):
        projection = np.hstack([matrix, np.zeros((3, 1))])
    roi = message.roi
    crop = np.array([[1.0, 0, -roi.x_offset], [0, 1, -roi.y_offset], [0, 0, 1]])
    view = Camera(
        *_view_size(message, width, height),
        crop @ matrix,
        crop @ projection,
        message.distortion_model,
        np.array(message.d, np.float64),
    )
    return view.scaled(width, height)


def _view_size(message: Any, width: int, height: int) -> tuple[int, int]:
    """Return the size in pixels of the images that a calibration is for, before binning."""
    roi = message.roi
    return roi.width or message.width or width, roi.height or message.height or height
