# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Joint semantic segmentation and metric depth in one forward pass, for ROS 2."""

__version__ = '0.1.0'
