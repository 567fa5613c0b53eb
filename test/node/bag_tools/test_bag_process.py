# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the code that the bag player and the bag recorder share."""

from __future__ import annotations

from sensor_msgs.msg import Image

from hydranet_ros.node.bag_tools.bag_process import message_class


def test_message_classes_are_found_by_type() -> None:
    assert message_class('sensor_msgs/msg/Image') is Image
    assert message_class('sensor_msgs/msg/Telepathy') is None
    assert message_class('robot_msgs/msg/Gripper') is None
