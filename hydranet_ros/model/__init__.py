# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A model: network, deployed graph, tasks, label sets, bundle file and exports."""
