# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Convert ROS messages to arrays and back, without rclpy."""
