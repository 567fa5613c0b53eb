# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Read the files of a sample into the types and units of `Sample`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import math
import os
from pathlib import Path
import re
from typing import Any
import warnings
import zlib

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
_EXIF_IFD, _FOCAL_LENGTH_35MM = 0x8769, 0xA405
_DIAGONAL_35MM = math.hypot(36, 24)  # millimetres
_PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_PNG_HEADER_END = 33  # bytes: signature and first chunk, which describes the pixels
_PNG_GREY, _PNG_PALETTE = 0, 3  # types of pixels

Decoder = Callable[[NDArray[np.uint8], int], Any]
NORMALS_ZERO = 127
"""8-bit value that stores a component of 0; a pixel with this value in all channels is unknown."""


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


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a sort key by which ``frame_2`` comes before ``frame_10``."""
    parts = re.split(r'([0-9]+)', name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], name


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """
    Read an image as H×W×3 uint8 RGB; grey images get three equal channels.

    The EXIF orientation is applied, as annotation tools and OpenCV's calibration do. Annotations
    that were made without the orientation differ in size, which `Sample` rejects.
    """
    return np.asarray(cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def focal_length_in_exif(path: Path) -> float | None:
    """
    Return the focal length in pixels from the EXIF data of a photo; None if it is missing.

    Cameras store the 35 mm equivalent focal length (same diagonal field of view). Needs the Python
    package Pillow; without it, the result is None.
    """
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about many pixels, which are not decoded here
            with Image.open(path) as image:
                stored = image.getexif().get_ifd(_EXIF_IFD).get(_FOCAL_LENGTH_35MM)
                width, height = image.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # a fault of the file is reported when its pixels are read
    focal = float(stored) if isinstance(stored, int | float) and stored > 0 else None
    return focal and focal * math.hypot(width, height) / _DIAGONAL_35MM


def read_segmentation(path: Path, form: SegmentationFormat) -> NDArray[np.uint8]:
    """Read labels as H×W uint8 ids, 255 unlabelled."""
    if form.colors:
        return _ids_of_colors(read_rgb(path), path, form)
    stored = _read(path, cv2.IMREAD_UNCHANGED, _png_values)
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


def read_pose(path: Path) -> NDArray[np.float64] | None:
    """
    Read a 4×4 camera-to-world pose from a text file.

    Returns None if a number is infinite or NaN, which recorders write where tracking was lost.
    """
    pose = _read_matrix(path, 4)
    return pose if np.isfinite(pose).all() else None


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


def _read(path: Path, flags: int, decode: Decoder = cv2.imdecode) -> NDArray[Any]:
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror or error}.') from error
    if path.suffix.lower() == '.exr':
        # OpenCV disables its OpenEXR decoder, which may be unsafe, unless this variable is set.
        os.environ.setdefault('OPENCV_IO_ENABLE_OPENEXR', '1')
    try:
        image = decode(encoded, flags) if encoded.size else None
    except cv2.error as error:
        raise HydranetError(f'OpenCV cannot read {path}: {error.err}.') from error
    if image is None:
        stored = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
        if stored is not None:
            raise HydranetError(
                f'{path} holds {stored.dtype} values, and an image needs 8 or 16 bits; convert it.'
            )
        raise HydranetError(f'{path} is damaged or not an image; restore or remove it.')
    return image


def _png_values(encoded: NDArray[np.uint8], flags: int) -> NDArray[Any] | None:
    """
    Decode an image like ``cv2.imdecode``, but return the stored values of a PNG.

    OpenCV scales grey values of 1, 2 or 4 bits to 8 bits, and replaces palette indices by colours.
    """
    content = encoded.tobytes()
    if not content.startswith(_PNG_SIGNATURE) or len(content) < _PNG_HEADER_END:
        return cv2.imdecode(encoded, flags)
    bits, kind = content[24:26]
    if kind == _PNG_PALETTE:
        encoded = np.frombuffer(_without_palette(content), np.uint8)
    image = cv2.imdecode(encoded, flags)
    if image is None or bits >= 8 or kind not in (_PNG_PALETTE, _PNG_GREY):
        return image
    return np.asarray(image) // (255 // (2**bits - 1))


def _without_palette(png: bytes) -> bytes:
    """Declare the palette indices of a PNG as grey values, and remove its palette."""
    header = png[12:25] + bytes([_PNG_GREY]) + png[26:29]
    kept = [png[:12], header, zlib.crc32(header).to_bytes(4, 'big')]
    position = _PNG_HEADER_END
    while position < len(png):
        end = position + 12 + int.from_bytes(png[position : position + 4], 'big')
        if png[position + 4 : position + 8] not in (b'PLTE', b'tRNS', b'bKGD', b'hIST', b'sBIT'):
            kept.append(png[position:end])
        position = end
    return b''.join(kept)
