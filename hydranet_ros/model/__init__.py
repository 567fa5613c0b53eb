# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a model is: network, deployed graph, tasks, label sets, the bundle file, exports."""
