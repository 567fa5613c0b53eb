# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Processes around a bag: player, recorder, evaluator."""
