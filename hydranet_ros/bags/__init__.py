# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""rosbag2 files without ROS: reading, writing, recovery, playback, conversion to datasets."""
