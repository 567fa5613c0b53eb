# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: colours, panels, point clouds, the viewer, result files."""
