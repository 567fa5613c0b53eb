# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics, evaluation of models on datasets and recordings, and reports."""
