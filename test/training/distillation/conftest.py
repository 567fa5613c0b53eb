# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of distillation."""

from __future__ import annotations

from pathlib import Path

from distillation_data import labels_config, write_blocks
import pytest


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a distillation of four images without labels."""
    return labels_config(tmp_path, write_blocks(tmp_path / 'data'))
