# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Choose the samples of each step.

The n-th sample of a training only depends on the recipe and n. So a resumed training sees the same
samples as an uninterrupted one, with any number of loader workers and processes, and without saved
state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CYCLE = 1000
"""The order of the datasets repeats after this many samples, so shares are exact to 1/1000."""


@dataclass(frozen=True)
class Draw:
    """One sample to train on."""

    number: int  # of the draw
    dataset: int
    index: int  # of the sample in the dataset


class Mixture:
    """
    An endless sequence of draws from several datasets, with random access.

    Datasets alternate as evenly as their shares allow; the shares need not sum to 1. Each pass
    through a dataset has a new random order.
    """

    def __init__(self, sizes: Sequence[int], shares: Sequence[float], seed: int) -> None:
        if len(sizes) != len(shares) or not sizes:
            raise ValueError('A mixture needs one share for each of its datasets.')
        if min(sizes) < 1 or min(shares) <= 0:
            raise ValueError('A mixture needs non-empty datasets and positive shares.')
        self._sizes = tuple(sizes)
        self._seed = seed
        self._cycle = _turns(np.asarray(shares, float) / sum(shares))
        hits = self._cycle[:, None] == np.arange(len(sizes))
        self._earlier = np.cumsum(hits, axis=0) - hits
        self._per_cycle = hits.sum(axis=0)
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def __getitem__(self, number: int) -> Draw:
        """Return the draw of this number."""
        cycles, position = divmod(number, len(self._cycle))
        dataset = int(self._cycle[position])
        earlier = cycles * self._per_cycle[dataset] + self._earlier[position, dataset]
        epoch, place = divmod(int(earlier), self._sizes[dataset])
        return Draw(number, dataset, int(self._order(dataset, epoch)[place]))

    def _order(self, dataset: int, epoch: int) -> NDArray[np.int64]:
        known = self._orders.get(dataset)
        if known is None or known[0] != epoch:
            rng = np.random.default_rng([self._seed, dataset, epoch])
            known = (epoch, rng.permutation(self._sizes[dataset]))
            self._orders[dataset] = known
        return known[1]


def _turns(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Fill a cycle; the next dataset is always the one that is furthest behind its share."""
    given = np.zeros(len(shares))
    turns = np.empty(_CYCLE, np.int64)
    for position in range(_CYCLE):
        turns[position] = np.argmax(shares * (position + 1) - given)
        given[turns[position]] += 1
    return turns
