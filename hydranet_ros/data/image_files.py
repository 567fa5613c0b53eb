# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Read the files of a sample into the types and units of `Sample`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import Camera, pinhole
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set, UNLABELED
from hydranet_ros.resources import noted

# In lower case; the case of a file's suffix does not matter.
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
ANNOTATION_SUFFIXES = ('.exr', '.png', '.tif', '.tiff')
POSE_SUFFIXES = ('.txt',)
INTRINSICS_NAME = 'camera-intrinsics.txt'
NORMALS_ZERO = 127
"""8-bit value of a normal's component 0; a pixel with this value in all channels is unknown."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera, in pixels of the stored images."""

    fx: float
    fy: float | None = None  # None: same as fx
    cx: float | None = None  # None: the centre of the image; same for cy
    cy: float | None = None
    skew: float = 0.0

    def camera(self, width: int, height: int) -> Camera:
        """Return the camera of images of this size."""
        cx = (width - 1) / 2 if self.cx is None else self.cx
        cy = (height - 1) / 2 if self.cy is None else self.cy
        fy = self.fx if self.fy is None else self.fy
        return pinhole(width, height, np.array([[self.fx, self.skew, cx], [0, fy, cy], [0, 0, 1]]))


@dataclass(frozen=True)
class SegmentationFormat:
    """How labels are stored."""

    label_set: str | None  # of the decoded ids; None keeps stored values as ids
    ignore: tuple[int, ...] = ()  # stored values that mean unlabelled, besides 255
    offset: int = 0  # added to stored values that are not ignored; -1 if they start at 1
    mapping: Mapping[int, int] | None = None  # stored value to id; others become unlabelled
    colors: bool = False  # the file is an RGB picture in the label set's colours
    # Stored value to id; -1 marks values that must not occur.
    table: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.colors and self.label_set is None:
            raise HydranetError('Labels stored as colours need a label_set.')
        size = UNLABELED if self.label_set is None else load_label_set(self.label_set).size
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
    """How depth is stored."""

    units_per_metre: float  # 256 for KITTI, 1000 for millimetres, 5000 for the NYUD packs
    invalid: tuple[int, ...] = (0,)  # stored values that mean unknown
    minimum: float = 0.0  # metres; depth outside minimum … maximum is unknown
    maximum: float = float('inf')


@dataclass(frozen=True)
class NormalsFormat:
    """How normals are stored."""

    axes: tuple[str, ...] = ('x', 'y', 'z')
    """Directions that red, green and blue stand for, in the optical frame; ``-y`` is upwards."""

    def __post_init__(self) -> None:
        if sorted(axis.lstrip('-') for axis in self.axes) != ['x', 'y', 'z']:
            raise HydranetError(
                f'The axes of normals are x, y and z in any order, with or without a minus, not '
                f'{", ".join(self.axes)}.'
            )


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """
    Read an image as H×W×3 uint8 RGB; grey images get three equal channels.

    The EXIF orientation is applied, as annotation tools and OpenCV's calibration do. Annotations
    that were made without the orientation differ in size, which `Sample` rejects.
    """
    return np.asarray(cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_segmentation(path: Path, form: SegmentationFormat) -> NDArray[np.uint8]:
    """Read labels as H×W uint8 ids, 255 unlabelled."""
    if form.colors:
        return _ids_of_colors(read_rgb(path), path, form)
    stored = _read(path, cv2.IMREAD_UNCHANGED)
    if stored.ndim != 2:
        raise HydranetError(
            f'{path} holds {stored.shape[2]} channels, but labels need one; set `colors: true` in '
            'the dataset file if colours stand for classes.'
        )
    if stored.max(initial=0) > UNLABELED:
        raise HydranetError(f'{path} holds the value {stored.max()}; labels end at {UNLABELED}.')
    ids = form.table[stored]
    if (ids < 0).any():
        raise HydranetError(
            f'{path} holds the value {stored[ids < 0][0]}, which is not a class of '
            f'{form.label_set}; declare it in `ignore` or `mapping` of the dataset file.'
        )
    return ids.astype(np.uint8)


def _ids_of_colors(
    rgb: NDArray[np.uint8], path: Path, form: SegmentationFormat
) -> NDArray[np.uint8]:
    assert form.label_set is not None
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
    """Read a file of 16-bit or 32-bit float depth; return H×W metres, NaN where unknown."""
    stored = _read(path, cv2.IMREAD_UNCHANGED)
    if stored.ndim != 2 or stored.dtype not in (np.uint16, np.float32):
        raise HydranetError(
            f'{path} is {stored.dtype} with shape {stored.shape}; '
            'depth needs one channel of 16-bit integers or 32-bit floats.'
        )
    metres = stored.astype(np.float32) / np.float32(form.units_per_metre)
    unknown = np.isin(stored, form.invalid) | ~np.isfinite(metres)
    unknown |= (metres < form.minimum) | (metres > form.maximum)
    metres[unknown] = np.nan
    return metres


def read_normals(path: Path, form: NormalsFormat) -> NDArray[np.float32]:
    """
    Read normals as H×W×3 unit vectors in the optical frame, NaN where unknown.

    The file is an 8-bit RGB image of ``127.5 (1 + n)``; the colour 127, 127, 127 means unknown.
    """
    stored = read_rgb(path)
    vectors = stored.astype(np.float32) / 127.5 - 1.0
    order = [[axis.lstrip('-') for axis in form.axes].index(axis) for axis in 'xyz']
    signs = [-1 if form.axes[channel].startswith('-') else 1 for channel in order]
    vectors = vectors[..., order] * np.array(signs, np.float32)
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    unknown = (stored == NORMALS_ZERO).all(axis=2)
    vectors /= np.maximum(length, 1e-6)
    vectors[unknown] = np.nan
    return vectors


def read_pose(path: Path) -> NDArray[np.float64]:
    """Read a 4×4 camera-to-world pose from a text file."""
    return _read_matrix(path, 4)


def read_intrinsics(path: Path) -> Intrinsics:
    """Read a 3×3 camera matrix from a text file."""
    (fx, skew, cx), (_, fy, cy), _ = _read_matrix(noted(path), 3).tolist()
    return Intrinsics(fx, fy, cx, cy, skew)


def _read_matrix(path: Path, size: int) -> NDArray[np.float64]:
    try:
        matrix = np.loadtxt(path, dtype=np.float64)
    except (OSError, ValueError) as error:
        raise HydranetError(f'{path} cannot be read as a matrix of numbers.') from error
    if matrix.shape != (size, size):
        raise HydranetError(f'{path} must hold {size} × {size} numbers.')
    return matrix


def _read(path: Path, flags: int) -> NDArray[Any]:
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror or error}.') from error
    image = cv2.imdecode(encoded, flags) if encoded.size else None
    if image is None:
        raise HydranetError(f'{path} is damaged or not an image; restore or remove it.')
    return image
