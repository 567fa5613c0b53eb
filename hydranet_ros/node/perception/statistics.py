# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Counts, rate and latencies of the frames in the node."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import threading
import time

import numpy as np

WINDOW = 5.0
"""Seconds over which rate and percentiles are computed."""
MAXIMUM_AGE = 60.0
"""Seconds; a greater age means that the stamp is from another clock, as in a recording."""

_EVENTS = ('received', 'dropped', 'idle', 'processed', 'failed', 'lost')


@dataclass(frozen=True)
class Percentiles:
    """Median and 95th percentile of durations, in seconds."""

    p50: float
    p95: float


@dataclass(frozen=True)
class Snapshot:
    """The statistics at one moment; counts start at activation."""

    received: int = 0
    dropped: int = 0  # replaced by a newer image before they were processed
    idle: int = 0  # discarded because no output had a subscriber
    processed: int = 0
    failed: int = 0
    lost: int = 0  # in transport, as reported by the middleware; not counted as received
    rate: float = 0.0  # processed images per second within `WINDOW`
    durations: Mapping[str, Percentiles] = field(default_factory=dict)
    """
    Duration of each stage within `WINDOW`. ``latency`` is the time from an image's arrival to its
    last output, ``age`` the time from the image's stamp to its last output.
    """
    uptime: float = 0.0  # seconds since activation
    since_image: float | None = None
    """Seconds since the last image was finished; 0 during processing, None before the first."""
    # Seconds since the last event of each kind, None before the first.
    since_processed: float | None = None
    since_idle: float | None = None
    since_failure: float | None = None
    since_loss: float | None = None
    last_error: str = ''


class Statistics:
    """
    Count what happens to frames; all methods are thread-safe.

    ``clock`` returns monotonic seconds, so that jumps of ROS time have no effect.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begin = clock()
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(_EVENTS, 0)
        self._recent: deque[tuple[float, Mapping[str, float]]] = deque()
        self._last: dict[str, float] = {}
        self._last_error = ''
        self._busy = False

    def ready(self) -> None:
        """Note that the last image is finished; the time without an image counts from now."""
        with self._lock:
            self._busy = False
            if 'received' in self._last:
                self._last['received'] = self._clock()

    def received(self, count: int = 1) -> None:
        """Count received images; the newest is being processed until :meth:`ready`."""
        self._count('received', count)
        with self._lock:
            self._busy = True

    def dropped(self, count: int = 1) -> None:
        """Count images that were replaced by a newer image before they were processed."""
        if count:
            self._count('dropped', count)

    def idle(self) -> None:
        """Count an image that was discarded because no output had a subscriber."""
        self._count('idle')

    def lost(self, count: int) -> None:
        """Count images lost in transport."""
        self._count('lost', count)

    def failed(self, sentence: str) -> None:
        """Count an image that could not be processed, and keep the reason."""
        self._count('failed')
        with self._lock:
            self._last_error = sentence

    def processed(self, durations: Mapping[str, float], age: float) -> None:
        """
        Count a processed image with the duration of each stage in seconds.

        ``age`` is the time from the image's stamp to its last output, in seconds. It is ignored
        if it is negative or above `MAXIMUM_AGE` (stamp of another clock, time that jumped back).
        """
        self._count('processed')
        stages = {**durations, 'age': age} if 0 <= age <= MAXIMUM_AGE else dict(durations)
        with self._lock:
            self._recent.append((self._clock(), stages))
            self._forget_old()

    def snapshot(self) -> Snapshot:
        """Return the current statistics."""
        with self._lock:
            now = self._clock()
            self._forget_old()
            since = {name: now - moment for name, moment in self._last.items()}
            return Snapshot(
                **self._counts,
                rate=_rate([moment for moment, _ in self._recent]),
                durations=_percentiles([stages for _, stages in self._recent]),
                uptime=now - self._begin,
                since_image=0.0 if self._busy else since.get('received'),
                since_processed=since.get('processed'),
                since_idle=since.get('idle'),
                since_failure=since.get('failed'),
                since_loss=since.get('lost'),
                last_error=self._last_error,
            )

    def _forget_old(self) -> None:
        """Drop records that are older than the window."""
        now = self._clock()
        while self._recent and now - self._recent[0][0] > WINDOW:
            self._recent.popleft()

    def _count(self, event: str, count: int = 1) -> None:
        """Count an event and note its time."""
        with self._lock:
            self._counts[event] += count
            self._last[event] = self._clock()


def _rate(moments: list[float]) -> float:
    """Return the events per second from their times in seconds."""
    if len(moments) < 2 or moments[-1] == moments[0]:
        return len(moments) / WINDOW
    return (len(moments) - 1) / (moments[-1] - moments[0])


def _percentiles(records: list[Mapping[str, float]]) -> dict[str, Percentiles]:
    """Return the percentiles of each stage over the records that contain it."""
    stages = dict.fromkeys(stage for record in records for stage in record)
    result = {}
    for stage in stages:
        p50, p95 = np.percentile([r[stage] for r in records if stage in r], (50, 95))
        result[stage] = Percentiles(float(p50), float(p95))
    return result
