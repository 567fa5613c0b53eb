# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Fuse predictions along known poses into one labelled surface, and measure it."""
