# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the mixture: shares, epochs, random access."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from hydranet_ros.training.mixing import Mixture

parts = st.lists(st.tuples(st.integers(1, 30), st.floats(0.05, 10.0)), min_size=1, max_size=5)


@given(parts=parts, seed=st.integers(0, 2**31), start=st.integers(0, 5000))
@settings(max_examples=50, deadline=None)
def test_draws_depend_on_seed_and_number_alone(
    parts: list[tuple[int, float]], seed: int, start: int
) -> None:
    """Asked for late, early, or twice, a draw is the same."""
    sizes, shares = zip(*parts, strict=True)
    one, other = Mixture(sizes, shares, seed), Mixture(sizes, shares, seed)
    wanted = [one[number] for number in range(start, start + 20)]
    assert [other[number] for number in reversed(range(start, start + 20))] == wanted[::-1]


@given(parts=parts, seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_shares_hold_at_every_moment_and_epochs_are_complete(
    parts: list[tuple[int, float]], seed: int
) -> None:
    """No dataset is ever a draw ahead of or behind its share; none repeats before its end."""
    sizes, shares = zip(*parts, strict=True)
    mixture = Mixture(sizes, shares, seed)
    drawn: Counter[int] = Counter()
    orders: dict[int, list[int]] = {number: [] for number in range(len(sizes))}
    for number in range(900):
        draw = mixture[number]
        drawn[draw.dataset] += 1
        orders[draw.dataset].append(draw.index)
        for dataset, share in enumerate(shares):
            expected = share / sum(shares) * (number + 1)
            assert abs(drawn[dataset] - expected) < len(shares)
    for dataset, order in orders.items():
        size = sizes[dataset]
        for first in range(0, len(order) - size + 1, size):
            assert sorted(order[first : first + size]) == list(range(size))


def test_epochs_differ_and_cycles_join() -> None:
    """A second epoch has another order, also across the end of a cycle of turns."""
    mixture = Mixture([7], [1.0], seed=3)
    orders = [[mixture[7 * e + i].index for i in range(7)] for e in (0, 1, 142, 143)]
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert len({tuple(order) for order in orders}) > 1


@pytest.mark.parametrize(('sizes', 'shares'), [([], []), ([3], [0.0]), ([0], [1.0]), ([1], [])])
def test_senseless_mixtures_are_refused(sizes: list[int], shares: list[float]) -> None:
    """A mixture of nothing is a programmer's mistake."""
    with pytest.raises(ValueError, match='mixture'):
        Mixture(sizes, shares, 0)
