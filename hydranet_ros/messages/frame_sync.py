# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Join messages of several topics into frames by stamp, in constant memory; without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_WINDOW = 64
_REMEMBERED = 64
Key = tuple[int, int]


@dataclass
class StampedFrame:
    """All messages with the same stamp."""

    lap: int  # how many times stamps had jumped back before this frame
    stamp: int  # nanoseconds
    parts: dict[str, Any] = field(default_factory=dict)  # by the name of the part


class Completeness:
    """Track whether all parts of a frame have arrived, without storing them."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = frozenset(parts)
        self._arrived: dict[int, set[str]] = {}

    def add(self, part: str, stamp: int) -> bool:
        """
        Record the arrival of a part; return whether the frame with this stamp is now complete.

        Unknown parts are ignored. A frame can be completed again if its messages are repeated.
        """
        if part not in self._parts:
            return False
        arrived = self._arrived.setdefault(stamp, set())
        arrived.add(part)
        if arrived == self._parts:
            del self._arrived[stamp]
            return True
        while len(self._arrived) > _REMEMBERED:
            del self._arrived[next(iter(self._arrived))]
        return False


class FrameStream:
    """
    Collect the parts of frames until no more can arrive for them.

    Stamps rise on each topic, so a frame is done when every topic has delivered its part of this
    frame or of a later one. Frames are returned in the order of their stamps; the order between
    topics does not matter. If ``laps`` is true, a stamp that jumps back starts a new lap, as in a
    looped recording; otherwise, a part with such a stamp counts as late. At most ``window``
    frames wait for their parts. ``late`` counts parts whose frame was already returned, and
    repeated parts.
    """

    def __init__(self, parts: Sequence[str], *, laps: bool = False, window: int = _WINDOW) -> None:
        self._parts = tuple(parts)
        self._laps = laps
        self._window = window
        self._latest: dict[str, Key] = {}
        self._waiting: dict[Key, StampedFrame] = {}
        self._returned: Key = (-1, -1)
        self.late = 0

    def put(self, part: str, stamp: int, content: Any) -> Iterator[StampedFrame]:
        """
        Add a part with the stamp of its image in nanoseconds; yield the frames that are done now.

        The generator must be exhausted.
        """
        key = (self._lap(part, stamp), stamp)
        self._latest[part] = max(key, self._latest.get(part, key))
        frame = self._waiting.get(key)
        if key <= self._returned or (frame is not None and part in frame.parts):
            self.late += 1
            return
        if frame is None:
            frame = self._waiting[key] = StampedFrame(*key)
        frame.parts[part] = content
        while self._waiting:
            first = min(self._waiting)
            if not (self._is_settled(first) or len(self._waiting) > self._window):
                return
            yield self._return(first)

    def flush(self) -> Iterator[StampedFrame]:
        """Yield the frames that still wait; call this when all topics have ended."""
        while self._waiting:
            yield self._return(min(self._waiting))

    def _return(self, key: Key) -> StampedFrame:
        self._returned = max(self._returned, key)
        return self._waiting.pop(key)

    def _is_settled(self, key: Key) -> bool:
        """Return whether each part of a frame has arrived or was skipped."""
        parts = self._waiting[key].parts
        return all(part in parts or self._latest.get(part, (-1, -1)) > key for part in self._parts)

    def _lap(self, part: str, stamp: int) -> int:
        """Return the lap of a stamp."""
        lap, last = self._latest.get(part, (0, -1))
        if not self._laps:
            return 0
        # On a topic with few messages, the first stamp of a new lap can be later than the last
        # stamp of the old lap. So if another topic is in a later lap, and a frame of that lap with
        # this stamp is waiting, the part joins that frame.
        newest = max((known for known, _ in self._latest.values()), default=0)
        if stamp <= last or (lap, stamp) not in self._waiting:
            for later in range(newest, lap, -1):
                if (later, stamp) in self._waiting:
                    return later
        return lap + (stamp < last)
