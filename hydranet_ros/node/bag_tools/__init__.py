# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes for replays: bag player, bag recorder, evaluator."""
