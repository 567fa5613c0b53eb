# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which processes run with which parameters, and how they are started and ended."""
