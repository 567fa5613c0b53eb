# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Counts, rate and percentiles over the last seconds."""

import threading

import numpy as np
import pytest

from hydranet_ros.node.perception.statistics import MAXIMUM_AGE, Statistics, WINDOW


class Clock:
    """A clock that is set by the test."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_nothing_happened(clock):
    snapshot = Statistics(clock).snapshot()
    assert snapshot.received == snapshot.processed == 0
    assert snapshot.rate == 0 and not snapshot.durations
    assert snapshot.since_image is None and snapshot.last_error == ''


def test_counts_and_times_since(clock):
    statistics = Statistics(clock)
    clock.now += 1
    for _ in range(5):
        statistics.received()
    statistics.ready()
    statistics.dropped()
    statistics.idle()
    statistics.lost(3)
    statistics.failed('first')
    clock.now += 1
    statistics.failed('second')
    statistics.processed({'total': 0.1}, age=0.2)
    clock.now += 2
    snapshot = statistics.snapshot()
    assert (snapshot.received, snapshot.dropped, snapshot.idle) == (5, 1, 1)
    assert (snapshot.processed, snapshot.failed, snapshot.lost) == (1, 2, 3)
    assert snapshot.last_error == 'second'
    assert snapshot.uptime == 4
    assert (snapshot.since_image, snapshot.since_idle, snapshot.since_loss) == (3, 3, 3)
    assert (snapshot.since_failure, snapshot.since_processed) == (2, 2)


def test_while_an_image_is_worked_on_none_is_missing(clock):
    statistics = Statistics(clock)
    statistics.received()
    clock.now += 60
    assert statistics.snapshot().since_image == 0
    statistics.ready()
    clock.now += 2
    assert statistics.snapshot().since_image == 2


def test_rate_and_percentiles_are_of_the_last_seconds(clock):
    statistics = Statistics(clock)
    for duration in (9.0, 9.0):  # long ago
        statistics.processed({'total': duration}, age=duration)
    clock.now += 2 * WINDOW
    durations = np.linspace(0.01, 0.1, 31)
    for duration in durations:
        statistics.processed({'total': duration}, age=2 * duration)
        clock.now += 0.1
    snapshot = statistics.snapshot()
    assert snapshot.rate == pytest.approx(10)
    assert snapshot.durations['total'].p50 == pytest.approx(np.percentile(durations, 50))
    assert snapshot.durations['total'].p95 == pytest.approx(np.percentile(durations, 95))
    assert snapshot.durations['age'].p50 == pytest.approx(2 * np.percentile(durations, 50))
    clock.now += 2 * WINDOW
    assert statistics.snapshot().rate == 0
    assert statistics.snapshot().processed == 33


def test_a_rate_of_less_than_two_in_the_window_is_not_none_at_all(clock):
    statistics = Statistics(clock)
    statistics.processed({'total': 4.0}, age=4.0)
    clock.now += WINDOW / 2
    assert statistics.snapshot().rate == pytest.approx(1 / WINDOW)


@pytest.mark.parametrize('age', [-0.001, -1e9, MAXIMUM_AGE + 1, 1e9, float('nan')])
def test_ages_of_another_clock_are_left_out(clock, age):
    statistics = Statistics(clock)
    statistics.processed({'total': 0.1}, age)
    assert 'age' not in statistics.snapshot().durations
    statistics.processed({'total': 0.1}, 0.5)
    assert statistics.snapshot().durations['age'].p50 == 0.5


def test_memory_is_bounded_by_the_window(clock):
    statistics = Statistics(clock)
    for _ in range(10_000):
        statistics.processed({'total': 0.1}, 0.1)
        clock.now += 0.1
    assert len(statistics._recent) <= WINDOW / 0.1 + 1


def test_threads_lose_no_count():
    statistics = Statistics()
    threads = [
        threading.Thread(target=lambda: [statistics.received() for _ in range(2000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statistics.snapshot().received == 8000
