# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the code that the bag player and the bag recorder share."""

from __future__ import annotations

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from hydranet_ros.node.bag_tools.bag_process import declare_parameters, message_class


def test_message_classes_are_found_by_type() -> None:
    assert message_class('sensor_msgs/msg/Image') is Image
    assert message_class('sensor_msgs/msg/Telepathy') is None
    assert message_class('robot_msgs/msg/Gripper') is None


def test_integers_are_taken_for_doubles() -> None:
    context = rclpy.Context()
    context.init()
    given = [Parameter('rate', value=2)]
    node = Node('test', context=context, parameter_overrides=given, enable_rosout=False)
    assert declare_parameters(node, {'rate': (1.0, 'Rate.')}) == {'rate': 2.0}
    node.destroy_node()
    context.shutdown()
