# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Write predictions to files: raw values for programs, pictures and a video for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import depth_to_millimetres
from hydranet_ros.data.media import VideoWriter, write_image
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import naming_write_faults
from hydranet_ros.pictures.panels import Look, mosaic, Panel, result_panels
from hydranet_ros.runtime.predictor import Prediction


class RawFile(NamedTuple):
    """Where and how the raw values of one field of a prediction are stored."""

    folder: str
    write: Callable[[Path, NDArray], None]


def _write_png(path: Path, values: NDArray) -> None:
    write_image(path.with_name(f'{path.name}.png'), values)


def _write_millimetres(path: Path, depth: NDArray) -> None:
    _write_png(path, depth_to_millimetres(depth))


def _write_array(path: Path, values: NDArray) -> None:
    path = path.with_name(f'{path.name}.npy')
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, values)


DEPTH_FORMATS = {'png': _write_millimetres, 'npy': _write_array}


class ResultWriter:
    """
    Writes the predictions of a run; use it as a context manager.

    Each kind of result has a folder with one file per frame: ``segmentation`` (class ids, 8-bit
    PNG), ``depth`` (16-bit PNG in millimetres or .npy in metres), ``normals`` (.npy), and the
    pictures ``overlay``, ``segmentation_color``, ``depth_color`` and ``normals_color``.
    ``depth_format`` is ``png`` or ``npy``; ``film`` is the path and the frame rate of an MP4 of
    the pictures.
    """

    def __init__(
        self,
        folder: Path,
        look: Look,
        *,
        depth_format: str = 'png',
        film: tuple[Path, float] | None = None,
    ) -> None:
        self._folder = folder
        self._look = look
        self._raw: Mapping[str, RawFile] = {
            'labels': RawFile('segmentation', _write_png),
            'depth': RawFile('depth', DEPTH_FORMATS[depth_format]),
            'normals': RawFile('normals', _write_array),
        }
        self._film = None if film is None else VideoWriter(*film)

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._film is not None:
            self._film.close()

    def write(self, name: str, rgb: RgbImage, prediction: Prediction) -> None:
        """Write the prediction of a frame; ``name`` is the file name without suffix."""
        values = {field: getattr(prediction, field) for field in self._raw}
        for field, raw in self._raw.items():
            if values[field] is not None:
                raw.write(self._folder / raw.folder / name, values[field])
        panels = result_panels(rgb, values, self._look)
        raw_folders = {raw.folder for raw in self._raw.values()}
        for panel in panels:
            kind = f'{panel.name}_color' if panel.name in raw_folders else panel.name
            write_image(self._folder / kind / f'{name}.png', panel.picture)
        if self._film is not None:
            self._film.write(mosaic([Panel('image', rgb), *panels]))
