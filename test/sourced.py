# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A sourced prefix with rviz2, for tests without a distribution."""

from pathlib import Path

import pytest

from hydranet_ros.launching.process_specs import PACKAGE_INDEX


def source_rviz(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Source a prefix in an existing folder."""
    index = folder / PACKAGE_INDEX
    index.mkdir(parents=True)
    (index / 'rviz2').touch()
    patch.setenv('AMENT_PREFIX_PATH', str(folder))
