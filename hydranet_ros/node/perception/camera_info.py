# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The camera_info of an output: the input's, scaled to the output's size."""

from __future__ import annotations

from copy import copy

from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from hydranet_ros.camera.calibration import camera_of


def camera_info_for(message: CameraInfo, header: Header, width: int, height: int) -> CameraInfo:
    """
    Return the camera_info to publish with an output of this size in pixels.

    It is the input's with the image's header, with scaled intrinsics if the size differs.
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
