# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Annotated images: samples, datasets and their readers, image and video sources."""
