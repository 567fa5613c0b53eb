# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Views: images with what else is known of them, from folders, videos and bags alike.

A folder of views holds ``image/`` and, optionally and matched by file name, ``depth/`` (16-bit
PNG), ``segmentation/`` (8-bit PNG of class ids) and ``pose/`` (text, 4×4 camera-to-world), with
``camera-intrinsics.txt`` (3×3) beside them. Any other input gives images alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import Camera
from hydranet_ros.data.media import IMAGE_SUFFIXES, open_source, read_image
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError

INTRINSICS = 'camera-intrinsics.txt'
# What sensors write for "nothing measured", beside 0.
_SATURATED = np.iinfo(np.uint16).max


@dataclass(frozen=True, eq=False)
class View:
    """
    One image and what is known of it; H×W is the image's size.

    Attributes
    ----------
    name
        Unique in its source, fit for a file.
    time
        Seconds since the first view, None where views are no sequence in time.
    rgb
        H×W×3 uint8.
    camera
        Its calibration, None if unknown.
    pose
        4×4 float64, from the camera's optical frame to the world; None if unknown.
    depth
        H×W float32: measured depth in metres, NaN where there is none; None without a sensor.
    labels
        H×W uint8: annotated class ids; None without annotation.

    """

    name: str
    time: float | None
    rgb: RgbImage
    camera: Camera | None = None
    pose: NDArray[np.float64] | None = None
    depth: NDArray[np.float32] | None = None
    labels: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class ViewSource:
    """
    Where views come from.

    Attributes
    ----------
    name
        Of the source.
    count
        Number of views, None where it is not known before the end.
    views
        Yields them; to be called once.

    """

    name: str
    count: int | None
    views: Callable[[], Iterator[View]] = field(repr=False)


@dataclass(frozen=True)
class Selection:
    """
    Which views of a source are taken.

    Attributes
    ----------
    every
        Take every so many-th.
    maximum
        Stop after so many, None for all.
    first
        Index of the first one taken.

    """

    every: int = 1
    maximum: int | None = None
    first: int = 0

    def count(self, available: int) -> int:
        """Return how many are taken of so many."""
        taken = -(-max(available - self.first, 0) // self.every)
        return taken if self.maximum is None else min(taken, self.maximum)

    def takes(self, index: int) -> bool:
        """Tell whether the view of an index is taken."""
        return index >= self.first and (index - self.first) % self.every == 0

    def ends_before(self, index: int) -> bool:
        """Tell whether no view from an index on is taken."""
        return self.maximum is not None and index >= self.first + self.maximum * self.every


ALL = Selection()


def open_views(
    where: str,
    selection: Selection = ALL,
    *,
    depth_unit: float = 0.001,
    focal_length: float | None = None,
) -> ViewSource:
    """
    Open a folder of views, or an image, a folder of images, a video or a camera.

    Parameters
    ----------
    where
        Path, or the index of a camera.
    selection
        Which views to take.
    depth_unit
        Metres that one step of a depth PNG stands for.
    focal_length
        In pixels, for images whose camera is not known otherwise; the principal point is the
        centre.

    Raises
    ------
    HydranetError
        If there is no such thing or it holds no images.

    """
    folder = Path(where).expanduser()
    if (folder / 'image').is_dir():
        return _open_folder(folder, selection, depth_unit, focal_length)
    source = open_source(where)

    def views() -> Iterator[View]:
        for index, frame in enumerate(source.frames()):
            if selection.ends_before(index):
                return
            if selection.takes(index):
                rgb = frame.read()
                time = None if source.rate is None else index / source.rate
                yield View(frame.name, time, rgb, ideal_camera(rgb, focal_length))

    count = None if source.count is None else selection.count(source.count)
    return ViewSource(source.name, count, views)


def _open_folder(
    folder: Path, selection: Selection, depth_unit: float, focal_length: float | None
) -> ViewSource:
    """Open a folder of views."""
    images = sorted(p for p in (folder / 'image').iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not images:
        raise HydranetError(f'The folder {folder / "image"} holds no image.')
    intrinsics = folder / INTRINSICS
    matrix = _read_matrix(intrinsics, 3) if intrinsics.is_file() else None

    chosen = [path for index, path in enumerate(images) if selection.takes(index)]

    def views() -> Iterator[View]:
        for path in chosen[: selection.maximum]:
            rgb = read_image(path)
            height, width = rgb.shape[:2]
            yield View(
                path.stem,
                None,
                rgb,
                camera=ideal_camera(rgb, focal_length)
                if matrix is None
                else pinhole(width, height, matrix),
                pose=read_pose(folder / 'pose' / f'{path.stem}.txt'),
                depth=_read_depth(folder / 'depth' / f'{path.stem}.png', depth_unit),
                labels=_read_ids(folder / 'segmentation' / f'{path.stem}.png'),
            )

    return ViewSource(folder.resolve().name, selection.count(len(images)), views)


def pinhole(width: int, height: int, matrix: NDArray[np.float64]) -> Camera:
    """Return the camera without distortion of a 3×3 matrix."""
    return Camera(width, height, matrix, np.hstack([matrix, np.zeros((3, 1))]))


def ideal_camera(rgb: RgbImage, focal_length: float | None) -> Camera | None:
    """Return the camera of a focal length, None without."""
    if focal_length is None:
        return None
    height, width = rgb.shape[:2]
    center = (width - 1) / 2, (height - 1) / 2
    matrix = np.array([[focal_length, 0, center[0]], [0, focal_length, center[1]], [0, 0, 1]])
    return pinhole(width, height, matrix)


def read_pose(path: Path) -> NDArray[np.float64] | None:
    """Read a 4×4 camera-to-world pose from a text file, None if there is none."""
    return _read_matrix(path, 4) if path.is_file() else None


def _read_matrix(path: Path, size: int) -> NDArray[np.float64]:
    """Read a square matrix of numbers from a text file."""
    try:
        matrix = np.loadtxt(path, dtype=np.float64)
    except (OSError, ValueError) as error:
        raise HydranetError(f'{path} cannot be read as a matrix of numbers.') from error
    if matrix.shape != (size, size):
        raise HydranetError(f'{path} must hold {size} × {size} numbers.')
    return matrix


def _read_ids(path: Path) -> NDArray[np.uint8] | None:
    """Read an 8-bit PNG of class ids, None if there is none."""
    return None if not path.is_file() else np.asarray(_read_unchanged(path, np.uint8), np.uint8)


def _read_depth(path: Path, unit: float) -> NDArray[np.float32] | None:
    """Read a 16-bit PNG of depth in metres, None if there is none."""
    if not path.is_file():
        return None
    steps = _read_unchanged(path, np.uint16)
    valid = (steps > 0) & (steps < _SATURATED)
    return np.where(valid, steps * np.float32(unit), np.float32(np.nan)).astype(np.float32)


def _read_unchanged(path: Path, dtype: type[np.generic]) -> NDArray:
    """Read a one-channel image with its own values."""
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 2 or values.dtype != dtype:
        kind = np.dtype(dtype).itemsize * 8
        raise HydranetError(f'{path} must be a {kind}-bit PNG of one channel.')
    return np.asarray(values)
