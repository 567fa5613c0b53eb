# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The size at which the network sees an image.

A network recognises objects only near the scales of its training. In an image of another
resolution, the same objects are larger or smaller, so classes and metres are wrong. The focal
length in pixels determines the scale: the image is resized until its focal length is in the
trained range.
"""

from __future__ import annotations

from dataclasses import dataclass
import math

from hydranet_ros.camera.working_width import MINIMUM_SIZE, MODEL_CHOICE
from hydranet_ros.model.bundle import BundleMetadata

_STEP = 32
"""Working widths are multiples of this, so that zooming does not need a new graph per frame."""
_ENLARGED_PIXELS = 640 * 480
"""Largest number of pixels that an image may have after enlarging."""
_AFFORDABLE_PIXELS = 1280 * 1024
"""Largest number of pixels of a working size that the model chooses."""


@dataclass(frozen=True)
class WorkingSize:
    """The size of the network's input for images of one camera."""

    width: int  # pixels
    height: int
    focal: float | None  # focal length in pixels of the resized image; None if unknown
    trained: bool
    """Whether ``focal`` is in the model's range; True if the range or ``focal`` is unknown."""

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height)."""
        return self.width, self.height


def choose_working_size(
    metadata: BundleMetadata, width: int, height: int, fx: float | None, working_width: int
) -> WorkingSize:
    """
    Choose the size at which the network sees an image.

    Parameters
    ----------
    metadata
        Of the model; ``focal_range`` has the focal lengths it was trained for.
    width, height
        Of the image, pixels.
    fx
        Focal length in pixels of the image; None for the assumed one.
    working_width
        ``MODEL_CHOICE``, ``NATIVE`` for the size of the image, or a width in pixels.

    """
    focal, _ = metadata.focal_length(fx, width, height)
    wanted = width
    if working_width > 0:
        wanted = working_width
    elif working_width == MODEL_CHOICE and metadata.focal_range and focal:
        wanted = _trained_width(metadata.focal_range, width, height, focal)
    # Very wide or very high images: keep the shorter side large enough for the network.
    wanted = max(wanted, math.ceil(width * MINIMUM_SIZE / min(width, height)))
    scale = wanted / width
    focal = focal * scale if focal else None
    return WorkingSize(
        wanted, round(height * scale), focal, _within(metadata.focal_range, focal, wanted)
    )


def about_resizing(working: WorkingSize, width: int, height: int) -> str:
    """Return a sentence for the user about images of this size; empty if they are not resized."""
    if working.size == (width, height):
        return ''
    return (
        f'Images of {width}x{height} pixels are resized to {working.width}x{working.height} for '
        'the network.'
    )


def untrained_fault(metadata: BundleMetadata, working: WorkingSize) -> str:
    """Return a sentence for the user if the model was not trained for the size; else ''."""
    if working.trained or metadata.focal_range is None or working.focal is None:
        return ''
    lowest, highest = metadata.focal_range
    return (
        f'The network sees images of {working.width}x{working.height} pixels with a focal length '
        f'of {working.focal:.0f} px, but it was trained for {lowest:.0f} to {highest:.0f} px: '
        'classes and depth are less accurate; set another working width.'
    )


def _trained_width(focal_range: tuple[float, float], width: int, height: int, focal: float) -> int:
    """Return the width that brings the focal length into the range, within the pixel limits."""
    lowest, highest = focal_range
    enlarged, affordable = (
        math.sqrt(limit / (width * height)) for limit in (_ENLARGED_PIXELS, _AFFORDABLE_PIXELS)
    )
    # Shrinking costs nothing, so go to the middle of the range, where accuracy is best; enlarging
    # costs time and adds no detail, so go to its near end only.
    scale = 1.0
    if focal > highest:
        scale = math.sqrt(lowest * highest) / focal
    elif focal < lowest:
        scale = lowest / focal
    scale = min(scale, max(1.0, enlarged), affordable)
    if scale == 1:
        return width
    return max(_STEP, _STEP * round(width * scale / _STEP))


def _within(focal_range: tuple[float, float] | None, focal: float | None, width: int) -> bool:
    """Return whether a focal length is in the range, up to the rounding of the width."""
    if focal_range is None or focal is None:
        return True
    tolerance = 1 + _STEP / 2 / width
    return focal_range[0] / tolerance <= focal <= focal_range[1] * tolerance
