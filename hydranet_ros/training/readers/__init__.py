# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Readers: one module a layout of files on disk; a dataset file names its reader."""

from __future__ import annotations

from hydranet_ros.training.datasets import Reader
from hydranet_ros.training.readers.folders import read_folders

READERS: dict[str, Reader] = {
    'folders': read_folders,
}
