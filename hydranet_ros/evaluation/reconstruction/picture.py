# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of a reconstruction: its colours, its classes and the measured surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import pinhole
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.evaluation.reconstruction.reconstruct import Reconstruction
from hydranet_ros.model.labels import LabelSet, UNLABELED
from hydranet_ros.pictures.panels import mosaic, Panel
from hydranet_ros.pictures.point_renderer import draw_points, look_at
from hydranet_ros.pictures.render import legend

_WIDTH, _HEIGHT, _FOCAL_LENGTH = 720, 540, 470.0
# How far the viewpoint is from the camera, as shares of the distance from camera to scene.
_BEHIND, _ABOVE = 0.3, 0.2
_UNLABELED_COLOR = (90, 90, 90)
_TITLE_HEIGHT = 30


def picture(
    reconstruction: Reconstruction, label_set: LabelSet | None, voxel_size: float
) -> RgbImage:
    """
    Draw the surfaces side by side, from behind and above the camera of the middle image.

    Points are drawn a little larger than a voxel; ``voxel_size`` is in metres.
    """
    seen_from = reconstruction.poses[len(reconstruction.poses) // 2]
    reference = reconstruction.measured or reconstruction.predicted
    distance = float(np.median(np.linalg.norm(reference.points - seen_from[:3, 3], axis=1)))
    down, forward, eye = seen_from[:3, 1:].T
    target = eye + distance * forward
    above = eye - _BEHIND * distance * forward - _ABOVE * distance * down
    matrix = np.array(
        [
            [_FOCAL_LENGTH, 0, (_WIDTH - 1) / 2],
            [0, _FOCAL_LENGTH, (_HEIGHT - 1) / 2],
            [0, 0, 1],
        ]
    )
    camera, pose = pinhole(_WIDTH, _HEIGHT, matrix), look_at(above, target, -down)
    surface = reconstruction.predicted
    shown = [('predicted', surface.points, surface.colors)]
    if label_set is not None:
        palette = label_set.palette()
        palette[UNLABELED] = _UNLABELED_COLOR
        shown.append(('classes', surface.points, palette[surface.labels]))
    if reconstruction.measured is not None:
        measured = reconstruction.measured
        shown.append(('measured', measured.points, measured.colors))
    size = 1.6 * voxel_size
    panels = [
        Panel(name, draw_points(points, colors, camera, pose, size=size))
        for name, points, colors in shown
    ]
    if label_set is not None:
        panels.append(Panel('classes seen', _legend(surface.labels, label_set)))
    return mosaic(panels)


def _legend(labels: NDArray[np.uint8], label_set: LabelSet) -> RgbImage:
    """Draw a panel with the colours and names of the classes that occur."""
    present = [int(label) for label in np.unique(labels) if label < label_set.size]
    drawn = legend(label_set, present, _WIDTH, scale=0.6)[: _HEIGHT - _TITLE_HEIGHT]
    panel = np.broadcast_to(drawn[:1, :1], (_HEIGHT, _WIDTH, 3)).copy()
    panel[_TITLE_HEIGHT : _TITLE_HEIGHT + len(drawn)] = drawn
    return panel
