# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Show an image to a teacher in several views, and average the results (test-time augmentation).

A teacher with a square input sees a wide image squashed; tiles with nearly the aspect ratio of the
input keep the proportions of objects that the teacher was trained with. Tiles overlap, and their
weight falls towards their edges, where a network sees the least context; so no seams appear.
Mirrored and enlarged views reduce the error further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Views:
    """How an image is shown to a teacher."""

    aspect: float | None = None
    """Largest ratio of width to height of a tile; None shows the whole image."""
    overlap: float = 0.25  # minimum overlap of neighbouring tiles, as a share of their size
    zooms: tuple[float, ...] = (1.0,)  # each zoom adds tiles of 1/zoom of the image's height
    flip: bool = False  # whether each tile is also shown mirrored
    gammas: tuple[float, ...] = (1.0,)
    """
    Each tile is shown with its values (0 to 1) raised to each of these powers; powers below 1
    brighten dark regions.
    """

    def __post_init__(self) -> None:
        if self.aspect is not None and not self.aspect > 0:
            raise HydranetError('The aspect of tiles must be positive.')
        if not 0 <= self.overlap < 1:
            raise HydranetError('The overlap of tiles must be at least 0 and below 1.')
        if not self.zooms or min(self.zooms) < 1:
            raise HydranetError('The zooms of views must be 1 or more.')
        if not self.gammas or min(self.gammas) <= 0:
            raise HydranetError('The gammas of views must be positive.')

    def windows(self, height: int, width: int) -> Iterator[Window]:
        """Yield the rows and columns of each tile; together they cover the image."""
        for zoom in self.zooms:
            tile_height = max(1, round(height / zoom))
            tile_width = max(1, round(width / zoom))
            if self.aspect is not None:
                tile_width = min(tile_width, max(1, round(tile_height * self.aspect)))
            yield from product(
                self._spans(height, tile_height),
                self._spans(width, tile_width),
            )

    def _spans(self, length: int, tile: int) -> list[slice]:
        """Spread tiles evenly over a length so that neighbours overlap enough."""
        step = max(1.0, tile * (1 - self.overlap))
        count = 1 + int(np.ceil((length - tile) / step))
        starts = np.linspace(0, length - tile, count).round().astype(int)
        return [slice(int(start), int(start) + tile) for start in starts]

    def average(
        self,
        rgb: NDArray[np.uint8],
        infer: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """
        Average a network's dense output over all views; returns (height, width, channels).

        ``infer`` returns float32 of shape (h, w, channels) for a tile. Its h and w may differ from
        the tile's: the output is resized to the tile with linear interpolation.
        """
        height, width = rgb.shape[:2]
        total: NDArray[np.float32] | None = None
        weights = np.zeros((height, width, 1), np.float32)
        for window in self.windows(height, width):
            tile = np.ascontiguousarray(rgb[window])
            tile_weights = (
                _ramp(tile.shape[0])[:, None, None] * _ramp(tile.shape[1])[None, :, None]
            )
            for gamma, mirrored in product(self.gammas, (False, True) if self.flip else (False,)):
                look = tile if gamma == 1 else _gamma_table(gamma)[tile]
                output = infer(np.ascontiguousarray(look[:, ::-1]) if mirrored else look)
                output = resize(output[:, ::-1] if mirrored else output, *tile.shape[:2])
                if total is None:
                    total = np.zeros((height, width, output.shape[2]), np.float32)
                total[window] += tile_weights * output
                weights[window] += tile_weights
        assert total is not None
        return total / weights


def resize(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Resize (h, w, channels): enlarge with linear interpolation, shrink by averaging."""
    if values.shape[:2] == (height, width):
        return values
    shrinks = height <= values.shape[0] and width <= values.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    # Channel by channel, since OpenCV can average at most four channels.
    planes = [
        cv2.resize(plane, (width, height), interpolation=interpolation)
        for plane in np.ascontiguousarray(values.transpose(2, 0, 1))
    ]
    return np.stack(planes, axis=-1).astype(np.float32)


def _ramp(length: int) -> NDArray[np.float32]:
    """Return weights that rise from the edges of a tile to its middle."""
    position = np.arange(length, dtype=np.float32)
    weights = np.minimum(position, length - 1 - position) + 1
    return np.asarray(weights / length, np.float32)


def _gamma_table(gamma: float) -> NDArray[np.uint8]:
    """Return the lookup table that raises uint8 values, scaled to 0 to 1, to a power."""
    return np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
