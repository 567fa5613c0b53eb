# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Interpolate camera poses from recorded poses or a tree of frames; without ROS."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Numbers = Sequence[float] | NDArray[np.float64]

LONGEST_GAP = 500_000_000
"""
Longest gap between two poses, in nanoseconds, that is interpolated. In longer gaps, before the
first pose and after the last, the nearest pose is used if it is at most half this time away.
"""


def pose_matrix(translation: Numbers, quaternion: Numbers) -> Matrix:
    """Return the 4×4 matrix of a position x y z and a quaternion x y z w (of non-zero length)."""
    x, y, z, w = np.asarray(quaternion, np.float64) / np.linalg.norm(quaternion)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = translation
    return matrix


def quaternion(rotation: Matrix) -> NDArray[np.float64]:
    """
    Return the quaternion x y z w of a 3×3 rotation, in the order that `pose_matrix` expects.

    The method of Bar-Itzhack (2000) also accepts a matrix with rounding errors and then returns
    the nearest rotation.
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation
    symmetric = np.array(
        [
            [a - e - i, b + d, c + g, h - f],
            [b + d, e - a - i, f + h, c - g],
            [c + g, f + h, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    return np.asarray(np.linalg.eigh(symmetric)[1][:, -1], np.float64)


class Track:
    """Poses over time, with interpolation between them."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._poses: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    def put(self, time: int, translation: Numbers, quaternion: Numbers) -> None:
        """Add a pose (x y z and x y z w) at a time in nanoseconds; calls may come in any order."""
        rotation = np.asarray(quaternion, np.float64)
        entry = (np.asarray(translation, np.float64), rotation / np.linalg.norm(rotation))
        index = bisect(self._times, time)
        self._times.insert(index, time)
        self._poses.insert(index, entry)

    def at(self, time: int) -> Matrix | None:
        """Return the 4×4 pose at the given time, None if no pose was recorded close to it."""
        after = bisect(self._times, time)
        if after and self._times[after - 1] == time:
            return pose_matrix(*self._poses[after - 1])
        if 0 < after < len(self._times):
            start, end = self._times[after - 1], self._times[after]
            if end - start <= LONGEST_GAP:
                share = (time - start) / (end - start)
                return _between(self._poses[after - 1], self._poses[after], share)
        near = [i for i in (after - 1, after) if 0 <= i < len(self._times)]
        if not near:
            return None
        index = min(near, key=lambda i: abs(self._times[i] - time))
        within = abs(self._times[index] - time) <= LONGEST_GAP // 2
        return pose_matrix(*self._poses[index]) if within else None


def _between(
    start: tuple[NDArray[np.float64], NDArray[np.float64]],
    end: tuple[NDArray[np.float64], NDArray[np.float64]],
    share: float,
) -> Matrix:
    """Interpolate positions linearly and rotations spherically (Shoemake, 1985)."""
    translation = (1 - share) * start[0] + share * end[0]
    cosine = float(start[1] @ end[1])
    # A quaternion and its negative are the same rotation; choose the shorter path.
    target = end[1] if cosine >= 0 else -end[1]
    angle = np.arccos(min(abs(cosine), 1.0))
    if angle < 1e-6:
        return pose_matrix(translation, (1 - share) * start[1] + share * target)
    first, second = np.sin((1 - share) * angle), np.sin(share * angle)
    return pose_matrix(translation, first * start[1] + second * target)


@dataclass
class _Edge:
    """The pose of a frame in its parent."""

    parent: str
    track: Track = field(default_factory=Track)
    fixed: Matrix | None = None

    def at(self, time: int) -> Matrix | None:
        return self.track.at(time) if self.fixed is None else self.fixed


class FrameTree:
    """The tree of frames from ``/tf`` and ``/tf_static``."""

    def __init__(self) -> None:
        self._edges: dict[str, _Edge] = {}

    def put(
        self,
        parent: str,
        child: str,
        time: int | None,
        translation: Numbers,
        quaternion: Numbers,
    ) -> None:
        """Add a transform, valid at all times if ``time`` (nanoseconds) is None."""
        edge = self._edges.get(child)
        if edge is None or edge.parent != parent:
            edge = self._edges[child] = _Edge(parent)
        if time is None:
            edge.fixed = pose_matrix(translation, quaternion)
        else:
            edge.track.put(time, translation, quaternion)

    def root(self, frame: str) -> str:
        """Return the root of the tree that contains a frame."""
        seen = {frame}
        while frame in self._edges and self._edges[frame].parent not in seen:
            frame = self._edges[frame].parent
            seen.add(frame)
        return frame

    def pose(self, frame: str, world: str, time: int) -> Matrix | None:
        """
        Return the 4×4 pose of ``frame`` in its ancestor ``world`` at a time in nanoseconds.

        Returns None if a transform between the two frames is missing at that time.
        """
        result = np.eye(4)
        for _ in range(len(self._edges) + 1):
            if frame == world:
                return result
            edge = self._edges.get(frame)
            step = edge.at(time) if edge else None
            if edge is None or step is None:
                return None
            result, frame = step @ result, edge.parent
        return None
