# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Resize images, and maps with a value per pixel; sizes are (width, height) in pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image, averaging pixels where it shrinks."""
    # INTER_AREA repeats pixels when enlarging; INTER_LINEAR skips pixels when shrinking. So first
    # shrink the sides that become shorter, then enlarge the others.
    smaller = min(size[0], image.shape[1]), min(size[1], image.shape[0])
    if smaller != image.shape[1::-1]:
        image = np.asarray(cv2.resize(image, smaller, interpolation=cv2.INTER_AREA), np.uint8)
    if smaller != size:
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return image


def resize_nearest(values: NDArray, size: tuple[int, int]) -> NDArray:
    """Resize a map of any dtype; each pixel has the value of the nearest old pixel."""
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_NEAREST_EXACT))
