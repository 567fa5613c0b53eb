# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Path of the repository under test."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
