# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 nodes: the perception node and the bag tools; only this subpackage imports rclpy."""
