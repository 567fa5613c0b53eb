#!/bin/bash
# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
# Run a command with ROS 2 and the package sourced.
set -e
source /ws/install/setup.bash
exec "$@"
