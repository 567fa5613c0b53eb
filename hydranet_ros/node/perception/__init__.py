# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The perception node: camera images in, segmentation and metric depth out."""
