# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Timing, stamps and order of messages in a replay, without ROS."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
import threading
import time

from hydranet_ros.bags.bag_files import BagMessage
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp, replace_stamp

# Number of stamps to remember; few suffice, as a bag has the messages of a frame close together.
_REMEMBERED_STAMPS = 256


@dataclass(frozen=True)
class Timeline:
    """The schedule of one replay."""

    first: int  # recorded time at which the replay starts, nanoseconds since the epoch
    rate: float = 1.0  # recorded seconds per replayed second, above 0

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise HydranetError(f'The rate of a replay must be above 0, not {self.rate}.')

    def due(self, recorded: int) -> float:
        """Return when a message is due, in seconds since the start of the replay."""
        return (recorded - self.first) / NANOSECONDS / self.rate

    def recorded(self, elapsed: float) -> int:
        """Return the recorded time that the replay reaches after ``elapsed`` seconds."""
        return self.first + round(elapsed * self.rate * NANOSECONDS)


class Stopwatch:
    """Measures the time of a replay, not counting pauses; thread-safe."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._origin = now()
        self._stopped: float | None = None

    @property
    def paused(self) -> bool:
        """Whether the watch is paused."""
        return self._stopped is not None

    def elapsed(self) -> float:
        """Return the seconds since the start, not counting pauses."""
        with self._lock:
            return (self._now() if self._stopped is None else self._stopped) - self._origin

    def restart(self) -> None:
        """Start again at zero; if paused, stay paused."""
        with self._lock:
            self._origin = self._now()
            if self._stopped is not None:
                self._stopped = self._origin

    def pause(self, paused: bool) -> None:
        """Pause or continue."""
        with self._lock:
            if paused and self._stopped is None:
                self._stopped = self._now()
            elif not paused and self._stopped is not None:
                self._origin += self._now() - self._stopped
                self._stopped = None

    def hold_back(self, elapsed: float) -> None:
        """Set the watch back to ``elapsed`` seconds if it shows more."""
        late = self.elapsed() - elapsed
        with self._lock:
            self._origin += max(late, 0.0)


class Restamper:
    """
    Replaces the stamps of messages by the times at which they are played.

    Messages with the same stamp (an image and its camera_info) get the same new stamp: the time at
    which the first of them is played.
    """

    def __init__(self) -> None:
        self._given: OrderedDict[int, int] = OrderedDict()

    def restamp(self, data: bytes, played: int) -> bytes:
        """
        Return a serialised message with its new stamp.

        ``played`` is the time at which the message is played, in nanoseconds since the epoch. The
        message must begin with a header.
        """
        stamp = self._given.setdefault(read_stamp(data), played)
        if len(self._given) > _REMEMBERED_STAMPS:
            self._given.popitem(last=False)
        return replace_stamp(data, stamp)


def belongings_first(
    messages: Iterable[BagMessage], image_topic: str, with_header: Collection[str]
) -> Iterator[BagMessage]:
    """
    Move the calibration and the ground truth of each image before the image.

    So receivers have everything that belongs to an image when the image arrives. A message belongs
    to an image if both have the same stamp, the message comes before the next image, and its topic
    is in ``with_header`` (topics whose type begins with a header).
    """
    held: list[BagMessage] = []
    for message in messages:
        if message.topic == image_topic:
            yield from _image_last(held, with_header)
            held = [message]
        elif held:
            held.append(message)
        else:
            yield message
    yield from _image_last(held, with_header)


def _image_last(held: list[BagMessage], with_header: Collection[str]) -> Iterator[BagMessage]:
    """Yield the first message, an image, after all held messages with its stamp; then the rest."""
    if not held:
        return
    image, *others = held
    stamp = read_stamp(image.data)
    belongs = [m.topic in with_header and read_stamp(m.data) == stamp for m in others]
    yield from (m for m, own in zip(others, belongs, strict=True) if own)
    yield image
    yield from (m for m, own in zip(others, belongs, strict=True) if not own)
