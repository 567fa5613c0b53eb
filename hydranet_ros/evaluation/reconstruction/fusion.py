# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Fuse depth, colour and labels of many images into one surface.

The surface is a truncated signed distance field (Curless and Levoy, 1996) in sparse voxels. Each
pixel is integrated along its ray (as in Voxblox; Oleynikova et al., 2017) and votes for the label
of a voxel. In numpy, a voxel is a row of a table; the table is sorted by a key that packs the
three indices of the voxel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import UNLABELED

_LABEL_BITS = 8
# Three indices and a label fit an int64: 262144 voxels along each axis, 5 km for 2 cm voxels.
_BITS = 18
_HALF = 1 << (_BITS - 1)
_STEPS = np.array([1 << 2 * _BITS, 1 << _BITS, 1], np.int64)
"""Difference of the keys of neighbours along x, y, z."""
_MERGE_ROWS = 2_000_000
# At a surface, the distances of neighbouring voxels differ by about one voxel. They
# differ by more where the two sides of a thin wall or of a gap meet.
_LARGEST_CHANGE = 2.0


class SparseTable:
    """Sums of rows of values, by integer key."""

    def __init__(self, columns: int) -> None:
        self._keys = np.zeros(0, np.int64)
        self._sums = np.zeros((0, columns))
        self._pending: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        self._pending_rows = 0

    def add(self, keys: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add rows of values, n × columns, to the sums of their n keys, which may repeat."""
        self._pending.append(_summed(keys, values))
        self._pending_rows += len(self._pending[-1][0])
        if self._pending_rows > _MERGE_ROWS:
            self.sums()

    def sums(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the sorted keys and their sums."""
        if self._pending:
            keys, values = zip((self._keys, self._sums), *self._pending, strict=True)
            self._keys, self._sums = _summed(np.concatenate(keys), np.concatenate(values))
            self._pending, self._pending_rows = [], 0
        return self._keys, self._sums


def _summed(
    keys: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sort by key and add up the rows of equal keys."""
    order = np.argsort(keys, kind='stable')
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=np.iinfo(np.int64).min))
    return keys[starts], np.add.reduceat(values[order], starts, axis=0) if len(starts) else values


@dataclass(frozen=True, eq=False)
class Surface:
    """Points on a fused surface."""

    points: NDArray[np.float32]  # n×3, metres in the world's frame
    colors: NDArray[np.uint8]  # n×3, RGB
    labels: NDArray[np.uint8]  # n class ids, 255 where no image gives a class


class VoxelMap:
    """
    A labelled, coloured signed distance field.

    A point changes the voxels that are within ``truncation`` metres of it along its ray; None
    means three voxels.
    """

    def __init__(self, voxel_size: float = 0.02, truncation: float | None = None) -> None:
        self.voxel_size = voxel_size
        self._truncation = 3 * voxel_size if truncation is None else truncation
        # Columns: weight, weighted distance, and weighted colour (3).
        self._field = SparseTable(5)
        self._votes = SparseTable(1)

    def integrate(
        self,
        points: NDArray[np.float32],  # n×3 metres in the camera's optical frame, all finite
        colors: NDArray[np.uint8],  # n×3, RGB
        labels: NDArray[np.uint8] | None,  # n class ids; 255 does not vote
        pose: NDArray[np.float64],  # 4×4, from the optical frame to the world
    ) -> None:
        """Add the n points of one image."""
        seen = points.astype(np.float64)
        distance = np.linalg.norm(seen, axis=1)
        direction = (seen / distance[:, None]) @ pose[:3, :3].T
        # The weight is inverse to the depth error, which grows with the square of depth for
        # stereo, structured light and networks.
        weight = 1.0 / np.maximum(seen[:, 2], 0.1) ** 2
        origin = pose[:3, 3]
        steps = int(np.ceil(self._truncation / self.voxel_size))
        for step in range(-steps, steps + 1):
            reach = distance + step * self.voxel_size
            indices = np.floor((origin + reach[:, None] * direction) / self.voxel_size)
            centers = (indices + 0.5) * self.voxel_size
            signed = distance - np.einsum('ij,ij->i', centers - origin, direction)
            near = (np.abs(signed) <= self._truncation) & (reach > 0)
            w = weight[near]
            values = np.column_stack([w, w * signed[near], w[:, None] * colors[near]])
            self._field.add(_keys(indices[near]), values)
            if step == 0 and labels is not None:
                voting = labels != UNLABELED
                ballots = _keys(indices[voting]) << _LABEL_BITS | labels[voting].astype(np.int64)
                self._votes.add(ballots, weight[voting, None])

    def surface(self, minimum_weight: float = 0.0) -> Surface:
        """
        Return the points where the field crosses zero between neighbouring voxels.

        Voxels below the minimum weight are skipped; an image at distance z adds weight 1 / z².
        """
        keys, sums = self._field.sums()
        kept = sums[:, 0] > minimum_weight
        keys, sums = keys[kept], sums[kept]
        signed = sums[:, 1] / sums[:, 0]
        colors = sums[:, 2:5] / sums[:, :1]
        labels = self._labels_of(keys)
        centers = (_indices(keys) + 0.5) * self.voxel_size
        parts = []
        for axis, step in enumerate(_STEPS):
            here, there = _neighbors(keys, step)
            change = signed[here] - signed[there]
            crosses = (signed[here] > 0) != (signed[there] > 0)
            crosses &= np.abs(change) < _LARGEST_CHANGE * self.voxel_size
            here, there = here[crosses], there[crosses]
            share = signed[here] / change[crosses]
            points = centers[here]
            points[:, axis] += share * self.voxel_size
            color = colors[here] + share[:, None] * (colors[there] - colors[here])
            nearest = np.where(share < 0.5, labels[here], labels[there])
            other = np.where(share < 0.5, labels[there], labels[here])
            parts.append((points, color, np.where(nearest == UNLABELED, other, nearest)))
        points, color, label = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Surface(
            points.astype(np.float32), np.rint(color).astype(np.uint8), label.astype(np.uint8)
        )

    def _labels_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the label with the most votes in each voxel."""
        labels = np.full(len(keys), UNLABELED, np.int64)
        ballots, votes = self._votes.sums()
        if not len(ballots) or not len(keys):
            return labels
        voxels, candidates = ballots >> _LABEL_BITS, ballots & ((1 << _LABEL_BITS) - 1)
        # The winner of each voxel comes last.
        order = np.lexsort((votes[:, 0], voxels))
        winners = order[np.flatnonzero(np.diff(voxels[order], append=-1))]
        rows = np.minimum(np.searchsorted(keys, voxels[winners]), len(keys) - 1)
        found = keys[rows] == voxels[winners]
        labels[rows[found]] = candidates[winners[found]]
        return labels


def _keys(indices: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pack voxel indices, n×3 floats without fractions, into keys."""
    if np.abs(indices).max(initial=0.0) >= _HALF:
        raise HydranetError(
            f'The images reach farther than {_HALF} voxels from the origin; choose larger voxels.'
        )
    return (indices.astype(np.int64) + _HALF) @ _STEPS


def _indices(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unpack voxel indices."""
    mask = (1 << _BITS) - 1
    return np.stack([keys >> 2 * _BITS, keys >> _BITS & mask, keys & mask], axis=1) - _HALF


def _neighbors(
    keys: NDArray[np.int64], step: np.int64
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows of all pairs of voxels whose keys differ by a step."""
    if not len(keys):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    rows = np.minimum(np.searchsorted(keys, keys + step), len(keys) - 1)
    here = np.flatnonzero(keys[rows] == keys + step)
    return here, rows[here]
