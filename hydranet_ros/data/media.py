# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images, folders, videos and cameras as a source of frames; images and videos as results."""

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

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
DEFAULT_RATE = 25.0
"""Frames per second where a video does not tell."""

_OPENCV_SILENT = 0
# FFmpeg reports on the console what `VideoWriter` tries in vain; read when OpenCV first needs it.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')


@dataclass(frozen=True)
class Frame:
    """
    One image of a source.

    Attributes
    ----------
    name
        File name for results, without suffix; unique in its source.
    origin
        What to call it in an error.
    read
        Returns the H×W×3 uint8 RGB image, or raises `HydranetError` if it cannot be read.

    """

    name: str
    origin: str
    read: Callable[[], RgbImage] = field(repr=False)


@dataclass(frozen=True)
class FrameSource:
    """
    Where frames come from.

    Attributes
    ----------
    name
        Of the source: the file's or folder's name without suffix, or ``camera0``.
    count
        Number of frames, None where it is not known before the end.
    rate
        Frames per second, None where frames are no sequence in time. A video or camera that
        does not tell has `DEFAULT_RATE`.
    frames
        Yields the frames; to be called once.

    """

    name: str
    count: int | None
    rate: float | None
    frames: Callable[[], Iterator[Frame]] = field(repr=False)


def open_source(where: str) -> FrameSource:
    """
    Open an image, a folder of images, a video or a camera.

    Parameters
    ----------
    where
        Path of a file or folder, or the index of a camera, e.g. ``0``.

    Raises
    ------
    HydranetError
        If there is no such thing or it holds no images.

    """
    if where.isdecimal():
        return _open_video(int(where), f'camera{where}', f'Camera {where}')
    path = Path(where).expanduser()
    if path.is_dir():
        return _open_images(path.resolve().name, _images_in(path))
    if not path.exists():
        raise HydranetError(f'There is no file or folder {path}.')
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _open_images(path.stem, [path])
    return _open_video(str(path), path.stem, str(path))


def read_image(path: Path) -> RgbImage:
    """
    Read an image file, whatever its colours and depth, as H×W×3 uint8 RGB.

    Raises
    ------
    HydranetError
        If it cannot be read.

    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise HydranetError(f'{path} cannot be read: {error.strerror}.') from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise HydranetError(f'{path} is not an image, or it is damaged.')
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def write_image(path: Path, image: NDArray) -> None:
    """
    Write a PNG, making its folder.

    Parameters
    ----------
    path
        Ends in ``.png``.
    image
        H×W uint8 or uint16, or H×W×3 uint8 RGB.

    Raises
    ------
    HydranetError
        If it cannot be written.

    """
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    encoded = cv2.imencode('.png', stored)[1]
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())


@contextmanager
def naming_write_faults(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write a file into one sentence."""
    try:
        yield
    except OSError as error:
        raise HydranetError(f'{path} cannot be written: {error.strerror}.') from error


class VideoWriter:
    """
    Write an MP4, in H.264 where this OpenCV can, else in MPEG-4; use it as a context manager.

    Parameters
    ----------
    path
        Ends in ``.mp4``; made with the first frame.
    rate
        Frames per second.

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
        """
        Append a frame; one of another size than the first is scaled to that.

        Raises
        ------
        HydranetError
            If the video cannot be written.

        """
        if self._writer is None:
            # The codecs store colour for every second pixel only.
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
        """Open the file with the first codec that works."""
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
    """Keep OpenCV from reporting on the console what is tried here on purpose."""
    # OpenCV before 4.6 has these functions in its main module.
    logging = getattr(cv2.utils, 'logging', cv2)
    level = logging.getLogLevel()
    logging.setLogLevel(_OPENCV_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _images_in(folder: Path) -> list[Path]:
    """List the image files of a folder in the order of their names."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise HydranetError(
            f'The folder {folder} holds no image ({", ".join(s[1:] for s in IMAGE_SUFFIXES)}).'
        )
    return paths


def _open_images(name: str, paths: list[Path]) -> FrameSource:
    """Make a source of image files."""
    stems = Counter(path.stem for path in paths)

    def frames() -> Iterator[Frame]:
        for path in paths:
            # a.png and a.jpg must not give results of one name.
            unique = path.stem if stems[path.stem] == 1 else path.name
            yield Frame(unique, str(path), partial(read_image, path))

    return FrameSource(name, len(paths), None, frames)


def _open_video(where: str | int, name: str, origin: str) -> FrameSource:
    """Make a source of a video file or a camera."""
    with _silent_opencv():
        capture = cv2.VideoCapture(where)
    if not capture.isOpened():
        what = 'cannot be opened' if isinstance(where, int) else 'is neither an image nor a video'
        raise HydranetError(f'{origin} {what}.')
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    rate = capture.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE

    def frames() -> Iterator[Frame]:
        index = 0
        try:
            while True:
                good, image = capture.read()
                if not good:
                    break
                rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
                yield Frame(
                    f'{name}_{index:06d}', f'{origin}, frame {index}', partial(np.asarray, rgb)
                )
                index += 1
        finally:
            capture.release()
        if index == 0:
            raise HydranetError(f'{origin} holds no frame that can be decoded.')

    return FrameSource(name, count if count > 0 else None, rate, frames)
