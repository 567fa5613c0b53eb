# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras: calibration, rays, point clouds, poses, the ground plane."""
