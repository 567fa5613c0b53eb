# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Read frames from images, folders, videos and cameras; write images and videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import ideal_camera
from hydranet_ros.data.image_files import (
    focal_length_in_exif,
    IMAGE_SUFFIXES,
    Intrinsics,
    INTRINSICS_NAME,
    natural_order,
    read_intrinsics,
    read_rgb,
)
from hydranet_ros.data.sample import RgbImage, Sample
from hydranet_ros.errors import HydranetError, naming_write_faults

IMAGE_FOLDER = 'image'
"""Folder of the images in a folder of samples."""
DEFAULT_RATE = 25.0
"""Frames per second that are assumed if a video or camera does not report its rate."""

_OPENCV_SILENT = 0
_LARGEST_CAMERA = 99  # OpenCV reads larger numbers as 100 * backend + camera
# Silences FFmpeg when `VideoWriter` tries a codec in vain; OpenCV reads the level on first use.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')


@dataclass(frozen=True)
class SourceImage:
    """
    One image of a source; `read` raises HydranetError if the image cannot be read.

    The sample has a camera if the focal length is known.
    """

    name: str  # file name for results, without suffix; unique in its source
    origin: str  # name of the image in error messages
    read: Callable[[], Sample] = field(repr=False)


@dataclass(frozen=True)
class FrameSource:
    """Where images come from; `frames` yields them and is called once."""

    name: str  # the file's or folder's name without suffix, or ``camera0``
    count: int | None  # None if unknown in advance
    rate: float | None  # frames per second; None if the images are not a sequence in time
    frames: Callable[[], Iterator[SourceImage]] = field(repr=False)


def open_source(where: str) -> FrameSource:
    """
    Open an image, a folder of images, a video, or a camera by its index, e.g. ``0``.

    The images of a folder may be in its folder ``image``, beside ``camera-intrinsics.txt``. Raises
    HydranetError if the source does not exist or holds no images.
    """
    path = Path(where).expanduser()
    if where.isdecimal() and not path.exists():
        return _open_video(int(where), f'camera{where}', f'Camera {where}')
    if path.is_dir():
        inner = path / IMAGE_FOLDER
        images = _images_in(inner if inner.is_dir() else path)
        return _open_images(path.resolve().name, images, path / INTRINSICS_NAME)
    if not path.exists():
        raise HydranetError(f'There is no file or folder {path}.')
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _open_images(path.stem, [path])
    return _open_video(str(path), path.stem, str(path))


def write_image(path: Path, image: NDArray) -> None:
    """Write an image (H×W uint8 or uint16, or H×W×3 uint8 RGB) as a PNG, and make the folder."""
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    encoded = cv2.imencode('.png', stored)[1]
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())


class VideoWriter:
    """
    Writes an MP4, in H.264 if OpenCV supports it, else in MPEG-4; use it as a context manager.

    The file is created with the first frame; `rate` is in frames per second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path = path
        self._rate = rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, picture: RgbImage) -> None:
        """Append a frame, scaled to the size of the first frame if its size differs."""
        if self._writer is None:
            # The codecs store colour at half resolution, so sides must be even.
            self._size = (picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2)
            self._writer = self._open()
        width, height = self._size
        if picture.shape[0] - height in (0, 1) and picture.shape[1] - width in (0, 1):
            picture = picture[:height, :width]
        else:
            picture = np.asarray(cv2.resize(picture, self._size), np.uint8)
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Complete the file."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def _open(self) -> cv2.VideoWriter:
        with naming_write_faults(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(b'')
        with _silent_opencv():
            for codec in ('avc1', 'mp4v'):
                code = cv2.VideoWriter.fourcc(*codec)
                writer = cv2.VideoWriter(str(self.path), code, self._rate, self._size)
                if writer.isOpened():
                    return writer
        raise HydranetError(f'{self.path} cannot be written: this OpenCV has no encoder for MP4.')


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Silence OpenCV's messages about failures that are expected here."""
    # OpenCV before 4.6 has these functions in its main module.
    logging = getattr(cv2.utils, 'logging', cv2)
    level = logging.getLogLevel()
    logging.setLogLevel(_OPENCV_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _images_in(folder: Path) -> list[Path]:
    paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    paths.sort(key=lambda path: natural_order(path.name))
    if not paths:
        raise HydranetError(
            f'The folder {folder} holds no image ({", ".join(s[1:] for s in IMAGE_SUFFIXES)}).'
        )
    return paths


def _open_images(name: str, paths: list[Path], intrinsics: Path | None = None) -> FrameSource:
    stems = Counter(path.stem for path in paths)
    given = read_intrinsics(intrinsics) if intrinsics and intrinsics.is_file() else None

    def frames() -> Iterator[SourceImage]:
        for path in paths:
            # a.png and a.jpg must not give results of the same name.
            unique = path.stem if stems[path.stem] == 1 else path.name
            yield SourceImage(unique, str(path), partial(_read_photo, unique, path, given))

    return FrameSource(name, len(paths), None, frames)


def _read_photo(name: str, path: Path, intrinsics: Intrinsics | None) -> Sample:
    """Read an image file, with the given intrinsics, else the focal length in its metadata."""
    rgb = read_rgb(path)
    height, width = rgb.shape[:2]
    camera = intrinsics.camera(width, height) if intrinsics else None
    if camera is None and (fx := focal_length_in_exif(path)):
        camera = ideal_camera(width, height, fx)
    return Sample(name, rgb, camera=camera)


def _open_video(where: str | int, name: str, origin: str) -> FrameSource:
    if isinstance(where, int) and where > _LARGEST_CAMERA:
        raise HydranetError(f'There is no camera {where}: camera numbers are small, such as 0.')
    with _silent_opencv():
        capture = cv2.VideoCapture(where)
    if not capture.isOpened():
        what = 'cannot be opened' if isinstance(where, int) else 'is neither an image nor a video'
        raise HydranetError(f'{origin} {what}.')
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    rate = capture.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE

    def frames() -> Iterator[SourceImage]:
        index = 0
        times = FrameTimes(rate)
        try:
            while True:
                good, image = capture.read()
                if not good:
                    break
                rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
                time = times.next(capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
                unique = f'{name}_{index:06d}'
                sample = Sample(unique, rgb, time=time)
                yield SourceImage(unique, f'{origin}, frame {index}', partial(_same, sample))
                index += 1
        finally:
            capture.release()
        if index == 0:
            raise HydranetError(f'{origin} holds no frame that can be decoded.')

    return FrameSource(name, count if count > 0 else None, rate, frames)


def _same(sample: Sample) -> Sample:
    return sample


class FrameTimes:
    """Times of the frames of a video, whose rate may vary, in seconds since the first frame."""

    def __init__(self, rate: float) -> None:
        self._period = 1 / rate
        self._first: float | None = None
        self._last = -self._period

    def next(self, position: float) -> float:
        """
        Return the time of the next frame, given its position in seconds.

        If positions do not increase, the time is one period after the last frame.
        """
        if self._first is None:
            self._first = position
        time = position - self._first
        # Some cameras and containers report no positions, or the same for all frames.
        self._last = time if time > self._last else self._last + self._period
        return self._last
