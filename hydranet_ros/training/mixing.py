# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Which sample of which dataset a step trains on.

The n-th sample of a training is a pure function of the seed and n. A resumed training sees the
same samples as an uninterrupted one, with any number of loader workers and processes, and without
saved state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CYCLE = 1000
"""Samples after which the order of the datasets repeats: shares are exact to a thousandth."""


@dataclass(frozen=True)
class Draw:
    """One sample to train on."""

    number: int  # of the draw
    dataset: int
    index: int  # of the sample in the dataset


class Mixture:
    """
    A fair, endless, random-access sequence of draws from several datasets.

    The datasets take turns as evenly as their shares allow; the shares need not sum to one. Each
    dataset is traversed in a new random order each time.
    """

    def __init__(self, sizes: Sequence[int], shares: Sequence[float], seed: int) -> None:
        if len(sizes) != len(shares) or not sizes:
            raise ValueError('A mixture needs one share for each of its datasets.')
        if min(sizes) < 1 or min(shares) <= 0:
            raise ValueError('A mixture needs datasets that are not empty and positive shares.')
        self._sizes = tuple(sizes)
        self._seed = seed
        self._cycle = _turns(np.asarray(shares, float) / sum(shares))
        hits = self._cycle[:, None] == np.arange(len(sizes))
        self._earlier = np.cumsum(hits, axis=0) - hits
        self._per_cycle = hits.sum(axis=0)
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def __getitem__(self, number: int) -> Draw:
        """Return the draw with this number."""
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
    """Spread the datasets over a cycle: next is always the one furthest behind its share."""
    given = np.zeros(len(shares))
    turns = np.empty(_CYCLE, np.int64)
    for position in range(_CYCLE):
        turns[position] = np.argmax(shares * (position + 1) - given)
        given[turns[position]] += 1
    return turns
