# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Join what arrives on several topics into frames, by stamp, in constant memory; without ROS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_WINDOW = 64
_REMEMBERED = 64
Key = tuple[int, int]


@dataclass
class StampedFrame:
    """What came with one stamp."""

    lap: int  # how often the stamps had jumped back before
    stamp: int  # nanoseconds since the epoch
    parts: dict[str, Any] = field(default_factory=dict)  # name of the part to what came


class Completeness:
    """
    Know when all parts of a frame have come, without keeping them.

    Parameters
    ----------
    parts
        Names of the parts.

    """

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = frozenset(parts)
        self._come: dict[int, set[str]] = {}

    def add(self, part: str, stamp: int) -> bool:
        """
        Note that a part has come; others than the named ones do not count.

        Returns
        -------
        Whether now all have come with this stamp. What comes again may complete it again, as
        when an image is repeated.

        """
        if part not in self._parts:
            return False
        come = self._come.setdefault(stamp, set())
        come.add(part)
        if come == self._parts:
            del self._come[stamp]
            return True
        while len(self._come) > _REMEMBERED:
            del self._come[next(iter(self._come))]
        return False


class FrameStream:
    """
    Collect the parts of frames until nothing more can come for them.

    Stamps rise on each topic: a frame is complete when each part is there or a later one of its
    kind. Frames come out in the order of their stamps, whatever the order between topics. Where a
    topic's stamp falls back, a recording has begun anew: a new lap.

    Parameters
    ----------
    parts
        Names of the parts.
    laps
        Whether stamps that fall back are a new lap; else they are late.
    window
        Most frames that wait, for parts that come rarely or never.

    Attributes
    ----------
    late
        Number of parts whose frame was already given away, and of repeated ones.

    """

    def __init__(self, parts: Sequence[str], *, laps: bool = False, window: int = _WINDOW) -> None:
        self._parts = tuple(parts)
        self._laps = laps
        self._window = window
        self._latest: dict[str, Key] = {}
        self._waiting: dict[Key, StampedFrame] = {}
        self._given: Key = (-1, -1)
        self.late = 0

    def put(self, part: str, stamp: int, content: Any) -> Iterator[StampedFrame]:
        """
        Add a part.

        Parameters
        ----------
        part
            Its name.
        stamp
            Of the image that it belongs to, in nanoseconds since the epoch.
        content
            What to keep of it.

        Yields
        ------
        StampedFrame
            Frames for which nothing more can come; all must be taken.

        """
        key = (self._lap(part, stamp), stamp)
        self._latest[part] = max(key, self._latest.get(part, key))
        frame = self._waiting.get(key)
        if key <= self._given or (frame is not None and part in frame.parts):
            self.late += 1
            return
        if frame is None:
            frame = self._waiting[key] = StampedFrame(*key)
        frame.parts[part] = content
        while self._waiting:
            first = min(self._waiting)
            if not (self._is_settled(first) or len(self._waiting) > self._window):
                return
            yield self._give(first)

    def flush(self) -> Iterator[StampedFrame]:
        """Yield the frames that still wait, since nothing more comes."""
        while self._waiting:
            yield self._give(min(self._waiting))

    def _give(self, key: Key) -> StampedFrame:
        self._given = max(self._given, key)
        return self._waiting.pop(key)

    def _is_settled(self, key: Key) -> bool:
        """Tell whether each part has come or been passed over."""
        parts = self._waiting[key].parts
        return all(part in parts or self._latest.get(part, (-1, -1)) > key for part in self._parts)

    def _lap(self, part: str, stamp: int) -> int:
        """Return which lap a stamp belongs to."""
        lap, last = self._latest.get(part, (0, -1))
        if not self._laps:
            return 0
        # Another topic may have told of the new lap already, also where this one's stamps do not
        # fall back since it comes rarely.
        newest = max((known for known, _ in self._latest.values()), default=0)
        if stamp <= last or (lap, stamp) not in self._waiting:
            for later in range(newest, lap, -1):
                if (later, stamp) in self._waiting:
                    return later
        return lap + (stamp < last)
