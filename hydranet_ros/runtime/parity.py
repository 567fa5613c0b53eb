# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Check that two predictors give the same result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.runtime.predictor import Predictor


@dataclass(frozen=True)
class Parity:
    """The agreement of two predictions; None for a field that one of them lacks."""

    labels: float | None  # share of pixels with equal labels
    depth: float | None  # median relative difference
    depth_largest: float | None  # largest relative difference

    def holds(self, labels: float, depth: float) -> bool:
        """Return whether labels and median depth agree within these limits."""
        return (self.labels is None or self.labels >= labels) and (
            self.depth is None or self.depth <= depth
        )

    def __str__(self) -> str:
        parts = []
        if self.labels is not None:
            parts.append(f'{100 * self.labels:.3f} % of the labels equal')
        if self.depth is not None:
            parts.append(
                f'depth differs by {self.depth:.1e} (median), {self.depth_largest:.1e} (largest)'
            )
        return ', '.join(parts) or 'nothing to compare'


def compare(reference: Predictor, other: Predictor, size: tuple[int, int]) -> Parity:
    """Compare two predictors on a synthetic image of the given (height, width)."""
    rgb = synthetic_picture(*size)
    expected, found = reference.predict(rgb), other.predict(rgb)
    labels = depth = largest = None
    if expected.labels is not None and found.labels is not None:
        labels = float((expected.labels == found.labels).mean())
    if expected.depth is not None and found.depth is not None:
        difference = np.abs(found.depth / expected.depth - 1)
        depth, largest = float(np.median(difference)), float(difference.max())
    return Parity(labels, depth, largest)


def synthetic_picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return a smooth, colourful image; noise would make every argmax almost a tie."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture.astype(np.uint8, copy=False)
