# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Run a model: predictor, backends, cache, parity, benchmark, quantisation."""
