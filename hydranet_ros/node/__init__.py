# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 side: the perception node and its parts; nothing outside imports rclpy."""
