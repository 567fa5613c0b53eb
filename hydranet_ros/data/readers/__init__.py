# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Readers, one module per layout of files on disk; a dataset file names its reader."""

from __future__ import annotations

from hydranet_ros.data.datasets import Reader
from hydranet_ros.data.readers.cityscapes import read_cityscapes
from hydranet_ros.data.readers.folders import read_folders
from hydranet_ros.data.readers.kitti import read_kitti_depth
from hydranet_ros.data.readers.nyud import read_nyud

READERS: dict[str, Reader] = {
    'cityscapes': read_cityscapes,
    'folders': read_folders,
    'kitti_depth': read_kitti_depth,
    'nyud': read_nyud,
}
"""Maps the value of ``reader`` in a dataset file to the function that opens the dataset."""
