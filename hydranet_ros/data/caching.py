# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Decoded samples in memory: small datasets are decoded once, not once an epoch."""

from __future__ import annotations

from collections.abc import Mapping

from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.data.sample import Dataset, Sample


class CachedDataset:
    """
    A dataset whose decoded samples stay in memory.

    Fill it before loader processes are forked and they share the memory.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.name = dataset.name
        self.label_set = dataset.label_set
        self.about = dataset.about
        self._dataset = dataset
        self._samples: dict[int, Sample] = {}

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._dataset)

    def tasks(self, index: int) -> frozenset[str]:
        """Return the names of the tasks that a sample is annotated for."""
        return self._dataset.tasks(index)

    def load(self, index: int) -> Sample:
        """Return a sample, read the first time."""
        if index not in self._samples:
            self._samples[index] = self._dataset.load(index)
        return self._samples[index]

    def fill(self) -> None:
        """Read all samples."""
        for index in range(len(self)):
            self.load(index)


def open_dataset(config: str, split: str, variables: Mapping[str, str], cache: bool) -> Dataset:
    """
    Open a dataset, and read all of it if it is to be cached.

    Raises
    ------
    HydranetError
        As :func:`load_dataset`; with caching also for every damaged file.

    """
    dataset = load_dataset(config, split, variables)
    if not cache:
        return dataset
    cached = CachedDataset(dataset)
    cached.fill()
    return cached
