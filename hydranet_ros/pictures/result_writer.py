# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Write predictions to files: raw values for programs, pictures and a video for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import depth_to_millimetres
from hydranet_ros.camera.resize import resize_image
from hydranet_ros.data.media import VideoWriter, write_image
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import naming_write_faults
from hydranet_ros.pictures.panels import Look, mosaic, Panel, result_panels
from hydranet_ros.pictures.result_page import write_page
from hydranet_ros.runtime.predictor import Prediction

_FIRST_FRAMES = 5
"""Frames to which the range of depth is fitted; later frames have the same colours."""
_NARROWEST = 2.0  # smallest ratio of the ends of a fitted range
_PAGE_WIDTH = 1280  # largest width in pixels of the images of the page


class _Frame(NamedTuple):
    """A predicted frame that is still to be drawn."""

    name: str
    rgb: RgbImage
    values: Mapping[str, NDArray | None]  # by field of the prediction


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
    ``index.html`` shows the pictures beside the images.

    Parameters
    ----------
    look
        Colours; without ``fit_depth``, depth has the colours of its ``depth_range``.
    fit_depth
        Whether the colours of depth are fitted to the first frames, within ``depth_range``.
    depth_format
        ``png`` or ``npy``.
    film
        Path and frame rate of an MP4 of the pictures; None for no film.
    title
        Of the page.

    """

    def __init__(
        self,
        folder: Path,
        look: Look,
        *,
        fit_depth: bool = False,
        depth_format: str = 'png',
        film: tuple[Path, float] | None = None,
        title: str = '',
    ) -> None:
        self.notes: list[str] = []
        """Sentences for the top of the page."""
        self._folder = folder
        self._look = look
        self._raw: Mapping[str, RawFile] = {
            'labels': RawFile('segmentation', _write_png),
            'depth': RawFile('depth', DEPTH_FORMATS[depth_format]),
            'normals': RawFile('normals', _write_array),
        }
        self._film = None if film is None else VideoWriter(*film)
        self._title = title
        self._names: list[str] = []
        self._kinds: list[str] = []
        self._classes: set[int] = set()  # ids that were predicted
        self._first: list[_Frame] | None = [] if fit_depth else None
        """Frames that wait for the range of depth."""

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._draw_first()
        if self._film is not None:
            self._film.close()
        if self._names:
            kinds = [('image', '.jpg'), *((kind, '.png') for kind in self._kinds)]
            write_page(
                self._folder,
                title=self._title,
                notes=self.notes,
                names=self._names,
                kinds=kinds,
                look=self._look,
                classes=self._classes,
            )

    def write(self, name: str, rgb: RgbImage, prediction: Prediction) -> None:
        """Write the prediction of a frame; ``name`` is the file name without suffix."""
        values = {field: getattr(prediction, field) for field in self._raw}
        for field, raw in self._raw.items():
            if values[field] is not None:
                raw.write(self._folder / raw.folder / name, values[field])
        if prediction.labels is not None:
            self._classes.update(np.unique(prediction.labels).tolist())
        frame = _Frame(name, rgb, values)
        if self._first is None:
            self._draw(frame)
            return
        self._first.append(frame)
        if len(self._first) == _FIRST_FRAMES:
            self._draw_first()

    def _draw_first(self) -> None:
        """Fit the range of depth to the first frames, and draw them."""
        frames, self._first = self._first or [], None
        depths = [f.values['depth'] for f in frames if f.values['depth'] is not None]
        if depths:
            self._look = replace(
                self._look, depth_range=fitted_range(depths, self._look.depth_range)
            )
        for frame in frames:
            self._draw(frame)

    def _draw(self, frame: _Frame) -> None:
        panels = result_panels(frame.rgb, frame.values, self._look)
        raw_folders = {raw.folder for raw in self._raw.values()}
        _write_jpeg(self._folder / 'image' / f'{frame.name}.jpg', frame.rgb)
        self._kinds = []
        for panel in panels:
            kind = f'{panel.name}_color' if panel.name in raw_folders else panel.name
            write_image(self._folder / kind / f'{frame.name}.png', panel.picture)
            self._kinds.append(kind)
        self._names.append(frame.name)
        if self._film is not None:
            self._film.write(mosaic([Panel('image', frame.rgb), *panels]))


def fitted_range(
    depths: Sequence[NDArray[np.float32]], limits: tuple[float, float]
) -> tuple[float, float]:
    """Return the range in metres of almost all depths, within limits and not too narrow."""
    values = np.concatenate([depth[::4, ::4].ravel() for depth in depths])
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return limits
    near, far = np.percentile(values, (1, 99)).clip(*limits)
    return float(near), float(max(far, _NARROWEST * near))


def _write_jpeg(path: Path, rgb: RgbImage) -> None:
    """Write a copy of the image for the page."""
    if rgb.shape[1] > _PAGE_WIDTH:
        height = round(rgb.shape[0] * _PAGE_WIDTH / rgb.shape[1])
        rgb = resize_image(rgb, (_PAGE_WIDTH, height))
    encoded = cv2.imencode('.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1]
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())
