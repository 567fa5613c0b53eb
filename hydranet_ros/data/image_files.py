# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Image files of datasets, decoded to the types and units of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set, UNLABELED

NORMALS_ZERO = 127
"""The byte that stands for 0 in normals stored as 8-bit images; three of them: unknown."""


@dataclass(frozen=True)
class SegmentationFormat:
    """
    How labels are stored.

    Attributes
    ----------
    label_set
        Name of the label set that the ids are of, once decoded.
    ignore
        Stored values that mean unlabelled, besides 255.
    offset
        Added to every stored value that is not ignored: -1 for ids that count from 1.
    mapping
        Stored value to id; given, all other values mean unlabelled.
    colors
        Whether the file is an RGB picture painted in the label set's colours.

    """

    label_set: str
    ignore: tuple[int, ...] = ()
    offset: int = 0
    mapping: Mapping[int, int] | None = None
    colors: bool = False
    table: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the table from stored value to id; -1 marks values that must not occur."""
        size = load_label_set(self.label_set).size
        table = np.full(256, -1, np.int64)
        if self.mapping is not None:
            table[:] = UNLABELED
            for value, label in self.mapping.items():
                table[int(value)] = label
        else:
            ids = np.arange(256) + self.offset
            table = np.where((ids >= 0) & (ids < size), ids, -1)
        table[[UNLABELED, *self.ignore]] = UNLABELED
        object.__setattr__(self, 'table', table)


@dataclass(frozen=True)
class DepthFormat:
    """
    How depth is stored.

    Attributes
    ----------
    units_per_metre
        Stored value of one metre: 256 for KITTI, 1000 for millimetres, 5000 for the NYUD packs.
    invalid
        Stored values that mean unknown.
    minimum, maximum
        Depth outside this range, in metres, is unknown too.

    """

    units_per_metre: float
    invalid: tuple[int, ...] = (0,)
    minimum: float = 0.0
    maximum: float = float('inf')


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """
    Read an image as H x W x 3 uint8 RGB; grey ones get three equal channels.

    Raises
    ------
    HydranetError
        If the file is missing or no image.

    """
    return np.ascontiguousarray(_read(path, cv2.IMREAD_COLOR)[..., ::-1]).astype(np.uint8)


def read_segmentation(path: Path, form: SegmentationFormat) -> NDArray[np.uint8]:
    """
    Read labels as H x W uint8 ids, 255 unlabelled.

    Raises
    ------
    HydranetError
        If the file is missing or no image, or holds a value that is no class.

    """
    if form.colors:
        return _ids_of_colors(read_rgb(path), path, form)
    stored = _read(path, cv2.IMREAD_UNCHANGED)
    if stored.ndim != 2:
        raise HydranetError(
            f'{path} holds {stored.shape[2]} channels and labels need one; say `colors: true` in '
            'the dataset file if it is painted in colours.'
        )
    if stored.max(initial=0) > UNLABELED:
        raise HydranetError(f'{path} holds the value {stored.max()}; labels end at {UNLABELED}.')
    ids = form.table[stored]
    if (ids < 0).any():
        raise HydranetError(
            f'{path} holds the value {stored[ids < 0][0]}, which is no class of '
            f'{form.label_set}; declare it in `ignore` or `mapping` of the dataset file.'
        )
    return ids.astype(np.uint8)


def _ids_of_colors(
    rgb: NDArray[np.uint8], path: Path, form: SegmentationFormat
) -> NDArray[np.uint8]:
    colors = load_label_set(form.label_set).colors
    packed = rgb.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    ids = np.full(packed.shape, -1, np.int64)
    ids[packed == 0] = UNLABELED
    for label, color in enumerate(colors):
        ids[packed == int(color.astype(np.int32) @ np.array([65536, 256, 1]))] = label
    if (ids < 0).any():
        raise HydranetError(
            f'{path} holds the colour {tuple(rgb[ids < 0][0].tolist())}, which is neither a '
            f'class of {form.label_set} nor black; repair the file.'
        )
    return form.table[ids].astype(np.uint8)


def read_depth(path: Path, form: DepthFormat) -> NDArray[np.float32]:
    """
    Read depth as H x W float32 metres, NaN where unknown.

    16-bit images, or 32-bit floats (TIFF, EXR).

    Raises
    ------
    HydranetError
        If the file is missing or no image of one channel with more than 8 bits.

    """
    stored = _read(path, cv2.IMREAD_UNCHANGED)
    if stored.ndim != 2 or stored.dtype not in (np.uint16, np.float32):
        raise HydranetError(
            f'{path} is {stored.dtype} with shape {stored.shape}; depth needs one channel of 16 '
            'bits or of floats.'
        )
    metres = stored.astype(np.float32) / np.float32(form.units_per_metre)
    unknown = np.isin(stored, form.invalid) | ~np.isfinite(metres)
    unknown |= (metres < form.minimum) | (metres > form.maximum)
    metres[unknown] = np.nan
    return metres


def read_normals(path: Path) -> NDArray[np.float32]:
    """
    Read normals as H x W x 3 float32 unit vectors, NaN where unknown.

    The file is an 8-bit RGB image, ``127.5 (1 + n)``; 127, 127, 127 means unknown.

    Raises
    ------
    HydranetError
        If the file is missing or no image.

    """
    stored = read_rgb(path)
    vectors = stored.astype(np.float32) / 127.5 - 1.0
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    unknown = (stored == NORMALS_ZERO).all(axis=2)
    vectors /= np.maximum(length, 1e-6)
    vectors[unknown] = np.nan
    return vectors


def _read(path: Path, flags: int) -> NDArray[np.generic]:
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror or error}.') from error
    image = cv2.imdecode(encoded, flags) if encoded.size else None
    if image is None:
        raise HydranetError(f'{path} is damaged or no image; restore or remove it.')
    return image
