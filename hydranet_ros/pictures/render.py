# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures for people: colours of classes, depth and normals, overlays, legends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.model.labels import LabelSet

TEXT_SCALE = 0.45
"""Text size in OpenCV's unit; letters are about 10 pixels high."""

_SMALLEST_TEXT_SCALE = 0.3
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FEWEST_TICKS = 3
_REGION_WIDTH = 320  # pixels of the picture in which regions are found
_NAMED_SHARE = 0.015  # smallest share of the picture for which a class is named
BACKGROUND = (24, 24, 24)
_FOREGROUND = (235, 235, 235)


@lru_cache(maxsize=32)
def _lookup_table(label_set: LabelSet) -> RgbImage:
    return label_set.palette().reshape(256, 1, 3)


def colorize_labels(labels: NDArray[np.uint8], label_set: LabelSet) -> RgbImage:
    """Colour H×W uint8 class ids; ids outside the label set become black."""
    # cv2.LUT needs a three-channel image for a three-channel table. This is still faster than
    # indexing the table with the image.
    return np.asarray(cv2.LUT(cv2.merge([labels] * 3), _lookup_table(label_set)), np.uint8)


def overlay(
    rgb: RgbImage, labels: NDArray[np.uint8], label_set: LabelSet, opacity: float = 0.5
) -> RgbImage:
    """
    Mix class colours with the image; ``opacity`` is the share of the colours, 0 to 1.

    Pixels with an id outside the label set are unchanged.
    """
    colors = colorize_labels(labels, label_set)
    mixed = cv2.addWeighted(rgb, 1.0 - opacity, colors, opacity, 0.0)
    unlabeled = labels >= label_set.size
    if unlabeled.any():
        mixed[unlabeled] = rgb[unlabeled]
    return np.asarray(mixed, np.uint8)


def overlay_legend(picture: RgbImage, labels: NDArray[np.uint8], label_set: LabelSet) -> None:
    """Draw the names of the classes in ``labels`` at the bottom of a picture, in place."""
    seen = np.flatnonzero(np.bincount(labels.reshape(-1), minlength=256)[: label_set.size])
    height, width = picture.shape[:2]
    # Small pictures get small letters, so that less is covered.
    scale = min(TEXT_SCALE, max(_SMALLEST_TEXT_SCALE, width / 1600))
    drawn = legend(label_set, seen.tolist(), width, scale)[:height]
    picture[height - len(drawn) :] = drawn


def name_regions(picture: RgbImage, labels: NDArray[np.uint8], label_set: LabelSet) -> None:
    """
    Write the name of each large class into its largest region, in place.

    So classes of similar colours can be told apart, also by colour-blind people.
    """
    height, width = labels.shape
    scale = min(TEXT_SCALE, max(_SMALLEST_TEXT_SCALE, width / 1600))
    # Regions are found on a small picture: details do not matter, and it is much faster.
    factor = min(1.0, _REGION_WIDTH / width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT))
    counts = np.bincount(small.ravel(), minlength=256)[: label_set.size]
    for class_id in np.flatnonzero(counts >= _NAMED_SHARE * small.size):
        inside = np.pad((small == class_id).astype(np.uint8), 1)
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        name = label_set.classes[class_id].replace('_', ' ')
        text_width = _text_width(name, scale)
        left = round((column + 0.5) * width / size[0] - text_width / 2)
        left = min(max(left, 0), max(width - text_width, 0))
        baseline = round((row + 0.5) * height / size[1] + 9 * scale)
        for color, thickness in ((BACKGROUND, 3), (_FOREGROUND, 1)):
            cv2.putText(
                picture, name, (left, baseline), _FONT, scale, color, thickness, cv2.LINE_AA
            )


def colorize_depth(depth: NDArray[np.float32], minimum: float, maximum: float) -> RgbImage:
    """
    Colour H×W depth in metres with a fixed range: near is warm, far is cold.

    Colours depend on the logarithm of depth, so that near distances, which matter most, differ
    clearly. NaN, infinite and non-positive depth is invalid and becomes black. ``minimum`` and
    ``maximum`` are the ends of the colour map, 0 < minimum < maximum.
    """
    valid = np.isfinite(depth) & (depth > 0)
    span = np.log(maximum / minimum)
    with np.errstate(invalid='ignore', divide='ignore'):
        position = np.log(np.where(valid, depth, maximum) / minimum) / span
    level = (255.0 * (1.0 - np.clip(position, 0.0, 1.0))).astype(np.uint8)
    colors = cv2.applyColorMap(level, cv2.COLORMAP_TURBO)
    colors[~valid] = 0
    return np.asarray(cv2.cvtColor(colors, cv2.COLOR_BGR2RGB), np.uint8)


def colorize_normals(normals: NDArray[np.float32]) -> RgbImage:
    """Colour H x W x 3 unit normals: x, y, z in -1…1 become red, green, blue in 0…255."""
    return np.clip(np.rint((normals + 1.0) * 127.5), 0, 255).astype(np.uint8)


def legend(
    label_set: LabelSet,
    classes: Sequence[int] | None = None,
    width: int = 640,
    scale: float = TEXT_SCALE,
) -> RgbImage:
    """
    Draw the colours and names of classes in rows.

    ``classes`` are the ids to show (None: all), ``width`` is in pixels, and ``scale`` is the text
    size, where 1 is about 22 pixels.
    """
    ids = range(label_set.size) if classes is None else classes
    names = [label_set.classes[i].replace('_', ' ') for i in ids]
    line = _line_height(scale)
    patch = line - 8
    widest = max((_text_width(name, scale) for name in names), default=0)
    columns = max(1, width // (widest + patch + 22))
    rows = -(-len(names) // columns)
    picture = np.full((max(rows, 1) * line + 8, width, 3), BACKGROUND, np.uint8)
    for index, (class_id, name) in enumerate(zip(ids, names, strict=True)):
        row, column = divmod(index, columns)
        x, y = 8 + column * (width // columns), 4 + row * line
        color = tuple(int(value) for value in label_set.colors[class_id])
        cv2.rectangle(picture, (x, y + 4), (x + patch, y + 4 + patch), color, cv2.FILLED)
        # Align the middle of small letters with the middle of the patch.
        baseline = y + 4 + patch // 2 + round(9 * scale)
        write_text(picture, name, (x + patch + 6, baseline), scale)
    return picture


def depth_legend(
    minimum: float, maximum: float, width: int = 640, scale: float = TEXT_SCALE
) -> RgbImage:
    """Draw the colour bar of :func:`colorize_depth` with ticks in metres."""
    margin, bar, line = 8, 14, _line_height(scale)
    inner = width - 2 * margin
    ramp = minimum * (maximum / minimum) ** np.linspace(0.0, 1.0, inner)
    picture = np.full((bar + line + 10, width, 3), BACKGROUND, np.uint8)
    colors = colorize_depth(ramp[None].astype(np.float32), minimum, maximum)
    picture[4 : 4 + bar, margin : margin + inner] = colors
    last = -1
    for value in _round_depths(minimum, maximum):
        share = np.log(value / minimum) / np.log(maximum / minimum)
        x = margin + int(share * (inner - 1))
        text = f'{value:g} m'
        text_width = _text_width(text, scale)
        left = min(max(x - text_width // 2, margin), width - text_width)
        if left <= last:
            continue
        cv2.line(picture, (x, 4 + bar), (x, 8 + bar), _FOREGROUND, 1)
        write_text(picture, text, (left, bar + line + 2), scale)
        last = left + text_width + 6
    return picture


def write_text(
    picture: RgbImage,
    text: str,
    origin: tuple[int, int],
    scale: float = TEXT_SCALE,
    color: tuple[int, int, int] = _FOREGROUND,
) -> None:
    """Write ASCII text into an RGB picture; ``origin`` is the lower left corner of the text."""
    thickness = 2 if scale > 0.8 else 1
    cv2.putText(picture, text, origin, _FONT, scale, color, thickness, cv2.LINE_AA)


def _line_height(scale: float) -> int:
    return round(44 * scale) + 2


def _text_width(text: str, scale: float) -> int:
    return int(cv2.getTextSize(text, _FONT, scale, 1)[0][0])


def _round_depths(minimum: float, maximum: float) -> list[float]:
    """Return round numbers in the range: 1, 2 or 5 times a power of ten, or finer steps."""
    exponents = range(int(np.floor(np.log10(minimum))), int(np.ceil(np.log10(maximum))) + 1)
    values: list[float] = []
    for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        rounds = [digit * 10.0**exponent for exponent in exponents for digit in digits]
        values = [value for value in rounds if minimum <= value <= maximum]
        if len(values) >= _FEWEST_TICKS:
            break
    return values
