# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Offline: from images with whatever annotation they have to a model file."""
