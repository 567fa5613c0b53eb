# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Read times, frames and diagnostics from a recording of the perception node."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.bags.bag_files import BagMessage, BagReader
from hydranet_ros.messages.frame_sync import FrameStream
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp

DIAGNOSTICS_TOPIC = '/diagnostics'


@dataclass(frozen=True)
class ResultTimes:
    """Times of results, in the order of arrival, in seconds."""

    arrivals: NDArray[np.float64]  # since the first result
    ages: NDArray[np.float64]  # from the image's stamp to the result's arrival
    latencies: NDArray[np.float64]  # from an image's arrival, if recorded, to the result's arrival

    @property
    def count(self) -> int:
        """Return the number of results."""
        return len(self.arrivals)

    @property
    def rate(self) -> float:
        """Return the number of results per second, 0 for fewer than two."""
        span = self.arrivals[-1] if self.count else 0.0
        return float((self.count - 1) / span) if span > 0 else 0.0


def result_times(bag: BagReader, image_topic: str, result_topic: str) -> ResultTimes:
    """Return the times of the results on a topic; a result has the stamp of its image."""
    images: dict[int, int] = {}
    arrivals, ages, latencies = [], [], []
    for message in bag.messages((image_topic, result_topic)):
        stamp = read_stamp(message.data)
        if message.topic == image_topic:
            images[stamp] = message.time
            continue
        arrivals.append(message.time)
        ages.append(message.time - stamp)
        if stamp in images:
            latencies.append(message.time - images[stamp])
    return ResultTimes(
        arrivals=(np.array(arrivals, np.int64) - min(arrivals, default=0)) / NANOSECONDS,
        ages=np.array(ages, np.int64) / NANOSECONDS,
        latencies=np.array(latencies, np.int64) / NANOSECONDS,
    )


def match_by_stamp(
    messages: Iterable[BagMessage], topics: Collection[str]
) -> Iterator[dict[str, BagMessage]]:
    """
    For each stamp that occurs on all topics, yield the messages with this stamp, by topic.

    The stamps must increase on each topic; frames are yielded in the order of their stamps.
    """
    stream = FrameStream(tuple(topics))
    arrived = (
        stream.put(message.topic, read_stamp(message.data), message)
        for message in messages
        if message.topic in topics
    )
    for frame in chain(chain.from_iterable(arrived), stream.flush()):
        if len(frame.parts) == len(topics):
            yield frame.parts


def last_diagnostics(bag: BagReader, node: str) -> dict[str, str]:
    """
    Return the last values that a node published on ``/diagnostics``; empty if there are none.

    ``node`` is the name of the node without the leading slash.
    """
    values: dict[str, str] = {}
    if DIAGNOSTICS_TOPIC not in bag.topics:
        return values
    for message in bag.messages((DIAGNOSTICS_TOPIC,)):
        for status in bag.decode(message).status:
            if status.name.startswith(f'{node}:'):
                values = {pair.key: pair.value for pair in status.values}
    return values
