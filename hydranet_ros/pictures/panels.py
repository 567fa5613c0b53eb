# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Put an image and its predictions side by side: panels, legends, contact sheets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import LabelSet
from hydranet_ros.pictures.render import (
    BACKGROUND,
    colorize_depth,
    colorize_labels,
    colorize_normals,
    depth_legend,
    legend,
    name_regions,
    overlay,
    write_text,
)

MUTED = (165, 165, 165)
WARNING = (255, 190, 60)
GAP = 8
_NEAREST_COLOR, _FARTHEST_COLOR = 0.5, 80.0
_TITLE_HEIGHT = 26
_BANNER_HEIGHT = 44
_MARGIN = 16


@dataclass(frozen=True)
class Look:
    """How the results of all frames are coloured."""

    label_set: LabelSet | None  # None without segmentation
    depth_range: tuple[float, float]  # ends of the colour map, metres


@dataclass(frozen=True)
class Panel:
    """One picture of a result."""

    name: str  # short, valid as a folder name: overlay, segmentation, depth, normals
    picture: RgbImage  # H×W×3 uint8 RGB


def _label_panels(rgb: RgbImage, labels: NDArray, look: Look) -> list[Panel]:
    assert look.label_set is not None
    mixed = overlay(rgb, labels, look.label_set)
    name_regions(mixed, labels, look.label_set)
    return [
        Panel('overlay', mixed),
        Panel('segmentation', colorize_labels(labels, look.label_set)),
    ]


def _depth_panels(_rgb: RgbImage, depth: NDArray, look: Look) -> list[Panel]:
    return [Panel('depth', colorize_depth(depth, *look.depth_range))]


def _normal_panels(_rgb: RgbImage, normals: NDArray, _look: Look) -> list[Panel]:
    return [Panel('normals', colorize_normals(normals))]


_PANELS: Mapping[str, Callable[[RgbImage, NDArray, Look], list[Panel]]] = {
    'labels': _label_panels,
    'depth': _depth_panels,
    'normals': _normal_panels,
}


def depth_colors(
    model_range: tuple[float, float], wanted: Sequence[float] | None = None
) -> tuple[float, float]:
    """
    Return the depths at the ends of the colour map, in metres.

    They are ``wanted`` if given, otherwise the model's range, limited to 0.5 to 80 m. Raises
    HydranetError unless 0 < near < far.
    """
    if wanted is None:
        near = max(model_range[0], _NEAREST_COLOR)
        return near, max(min(model_range[1], _FARTHEST_COLOR), 2 * near)
    near, far = wanted
    if not 0 < near < far < float('inf'):
        raise HydranetError(
            f'Depth cannot be coloured from {near:g} to {far:g} m; give 0 < near < far.'
        )
    return near, far


def result_panels(rgb: RgbImage, results: Mapping[str, NDArray | None], look: Look) -> list[Panel]:
    """
    Draw the predictions of an image.

    ``results`` maps field names of ``Prediction`` to arrays; fields that are None or have no
    picture are skipped.
    """
    panels = []
    for name, draw in _PANELS.items():
        values = results.get(name)
        if values is not None:
            panels += draw(rgb, values, look)
    return panels


def mosaic(panels: Sequence[Panel], columns: int = 2) -> RgbImage:
    """Arrange panels of equal size in rows without gaps, each with its name in a corner."""
    cells = [named(panel) for panel in panels]
    return lay_out(
        [cells[i : i + columns] for i in range(0, len(cells), columns)], columns=columns
    )


def lay_out(
    rows: Sequence[Sequence[RgbImage | None]],
    *,
    columns: int = 0,
    gap: int = 0,
    margin: int = 0,
    background: tuple[int, int, int] = BACKGROUND,
) -> RgbImage:
    """
    Arrange pictures in rows and columns; None leaves a place empty.

    There are at least ``columns`` columns, each as wide as the widest picture; a row is as high as
    its highest picture. ``gap`` (between pictures) and ``margin`` (left and right) are in pixels.
    """
    shapes = [[cell.shape for cell in row if cell is not None] for row in rows]
    width = max(shape[1] for row in shapes for shape in row)
    columns = max(columns, *(len(row) for row in rows))
    heights = [max(shape[0] for shape in row) for row in shapes]
    size = (sum(heights) + gap * (len(rows) - 1), columns * (width + gap) - gap + 2 * margin, 3)
    canvas = np.full(size, background, np.uint8)
    top = 0
    for cells, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(cells):
            if cell is not None:
                _place(canvas, cell, margin + column * (width + gap), top)
        top += height + gap
    return canvas


def scaled(picture: RgbImage, width: int) -> RgbImage:
    """Resize a picture to a width, keeping its proportions."""
    size = (width, max(1, round(width * picture.shape[0] / picture.shape[1])))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def named(panel: Panel) -> RgbImage:
    """Return the picture of a panel with the panel's name in a corner."""
    picture = panel.picture.copy()
    label_corner(picture, panel.name)
    return picture


def label_corner(picture: RgbImage, text: str) -> None:
    """Write a short text on a dark background into the upper left corner of a picture."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    corner = picture[: min(22, picture.shape[0]), : width + 14]
    corner[:] = corner // 4
    write_text(picture, text, (7, 15), 0.5)


def banner(width: int, text: str, note: str = '', *, warning: bool = False) -> RgbImage:
    """Draw a title line followed by a smaller note; warnings are coloured."""
    picture = _blank(_BANNER_HEIGHT, width)
    if warning:
        write_text(picture, text, (_MARGIN, 29), 0.75, WARNING)
    else:
        write_text(picture, text, (_MARGIN, 29), 0.75)
    (used, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.75, 1)
    write_text(picture, note, (2 * _MARGIN + used, 28), 0.5, MUTED)
    return picture


def contact_sheet(
    rows: Sequence[Sequence[Panel]],
    look: Look,
    *,
    title: str,
    note: str = '',
    warning: str = '',
    panel_width: int = 480,
) -> RgbImage:
    """
    Arrange frames and their results in one picture with title and legends.

    There is one row per frame, and all rows have the same panels. A warning is shown in colour
    below the title. ``panel_width`` is in pixels.
    """
    pictures = [[scaled(panel.picture, panel_width) for panel in row] for row in rows]
    body = lay_out(pictures, gap=GAP, margin=_MARGIN)
    total = body.shape[1]
    parts = [banner(total, title, note)]
    if warning:
        parts.append(banner(total, warning, warning=True))
    names = _blank(_TITLE_HEIGHT, total)
    for column, panel in enumerate(rows[0]):
        write_text(names, panel.name, (_MARGIN + column * (panel_width + GAP), 17), 0.55)
    below = legends([panel.name for panel in rows[0]], look, total)
    return np.concatenate([*parts, names, body, _blank(GAP, total), below])


def legends(names: Sequence[str], look: Look, width: int) -> RgbImage:
    """Draw the legends of panels with these names, side by side."""
    pictures = []
    inner = width - 2 * _MARGIN
    with_depth = 'depth' in names
    if look.label_set is not None and 'segmentation' in names:
        classes = legend(look.label_set, width=inner - inner // 3 if with_depth else inner)
        pictures.append(classes)
    if with_depth:
        left = inner - sum(p.shape[1] for p in pictures)
        pictures.append(depth_legend(*look.depth_range, width=left))
    result = _blank(max((p.shape[0] for p in pictures), default=0) + _MARGIN, width)
    x = _MARGIN
    for picture in pictures:
        _place(result, picture, x, 0)
        x += picture.shape[1]
    return result


def _blank(height: int, width: int) -> RgbImage:
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def _place(canvas: RgbImage, picture: RgbImage, x: int, y: int) -> None:
    rows, columns = slice(y, y + picture.shape[0]), slice(x, x + picture.shape[1])
    canvas[rows, columns] = picture
