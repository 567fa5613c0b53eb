# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: colours, panels, points in space, the viewer, result files."""
