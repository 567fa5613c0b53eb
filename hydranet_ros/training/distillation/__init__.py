# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Hard knowledge distillation: teachers annotate images that lack an annotation."""
