# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Processes of a ROS graph: their parameters, and how to start and stop them."""
