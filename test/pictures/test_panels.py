# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of results beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.pictures.panels import (
    contact_sheet,
    depth_colors,
    lay_out,
    Look,
    mosaic,
    Panel,
    result_panels,
)
from hydranet_ros.pictures.render import colorize_depth, colorize_labels

LOOK = Look(load_label_set('kitti6'), (1.0, 50.0))
RGB = np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8)
LABELS = np.full((40, 90), 5, np.uint8)
DEPTH = np.full((40, 90), 7.0, np.float32)


def test_panels_show_what_there_is() -> None:
    assert LOOK.label_set is not None
    results = {'labels': LABELS, 'depth': DEPTH, 'normals': None, 'confidence': LABELS}
    panels = {panel.name: panel.picture for panel in result_panels(RGB, results, LOOK)}
    assert list(panels) == ['overlay', 'segmentation', 'depth']
    np.testing.assert_array_equal(panels['segmentation'], colorize_labels(LABELS, LOOK.label_set))
    np.testing.assert_array_equal(panels['depth'], colorize_depth(DEPTH, 1.0, 50.0))
    only = result_panels(RGB, {'normals': np.zeros((40, 90, 3), np.float32)}, Look(None, (1, 2)))
    assert [panel.name for panel in only] == ['normals']


@pytest.mark.parametrize(
    ('count', 'shape'), [(1, (40, 180, 3)), (4, (80, 180, 3)), (5, (120, 180, 3))]
)
def test_mosaic_keeps_the_pictures(count: int, shape: tuple[int, ...]) -> None:
    pictures = [np.full((40, 90, 3), 50 * (index + 1), np.uint8) for index in range(count)]
    result = mosaic([Panel('x', picture) for picture in pictures])
    assert result.shape == shape
    for index, picture in enumerate(pictures):
        row, column = divmod(index, 2)
        # The name covers the upper left corner only.
        part = result[40 * row + 25, 90 * column + 40]
        np.testing.assert_array_equal(part, picture[0, 0])
        assert (result[40 * row + 2, 90 * column + 2] < picture[0, 0]).all()


def test_layout_has_rows_columns_gaps_and_empty_places() -> None:
    one, two, three = (np.full((4 + n, 6, 3), n, np.uint8) for n in (1, 2, 3))
    result = lay_out([[one, two], [None, three]], gap=2, margin=5, background=(9, 9, 9))
    assert result.shape == (6 + 2 + 7, 5 + 6 + 2 + 6 + 5, 3)
    for picture, x, y in ((one, 5, 0), (two, 13, 0), (three, 13, 8)):
        np.testing.assert_array_equal(result[y : y + len(picture), x : x + 6], picture)
        result[y : y + len(picture), x : x + 6] = 9
    assert (result == 9).all()


def test_contact_sheet_shows_frames_legends_and_warning() -> None:
    panels = [Panel('image', RGB), *result_panels(RGB, {'labels': LABELS, 'depth': DEPTH}, LOOK)]
    plain = contact_sheet([panels, panels], LOOK, title='ride', panel_width=180)
    warned = contact_sheet([panels, panels], LOOK, title='ride', warning='LOOK', panel_width=180)
    assert warned.shape[0] > plain.shape[0]
    assert plain.dtype == np.uint8
    colors = {tuple(color) for color in plain.reshape(-1, 3).tolist()}
    assert LOOK.label_set is not None
    for color in LOOK.label_set.colors.tolist():
        assert tuple(color) in colors
    near, far = colorize_depth(np.array([[1.0, 50.0]], np.float32), 1.0, 50.0)[0].tolist()
    assert {tuple(near), tuple(far)} <= colors


def test_contact_sheet_without_labels_or_depth() -> None:
    look = Look(None, (1.0, 2.0))
    sheet = contact_sheet([[Panel('image', RGB)]], look, title='ride', panel_width=90)
    assert sheet.shape[1] > 90


@pytest.mark.parametrize(
    ('model_range', 'expected'),
    [((1e-3, 1000.0), (0.5, 80.0)), ((0.1, 10.0), (0.5, 10.0)), ((2.0, 60.0), (2.0, 60.0))],
)
def test_depth_colors_follow_the_model(
    model_range: tuple[float, float], expected: tuple[float, float]
) -> None:
    assert depth_colors(model_range) == expected
    assert depth_colors(model_range, (3.0, 4.0)) == (3.0, 4.0)


@pytest.mark.parametrize('model_range', [(1e-3, 0.4), (90.0, 200.0)])
def test_depth_colors_are_always_a_range(model_range: tuple[float, float]) -> None:
    near, far = depth_colors(model_range)
    assert 0 < near < far


@pytest.mark.parametrize('wanted', [(0.0, 1.0), (2.0, 2.0), (1.0, float('inf'))])
def test_impossible_depth_colors_are_refused(wanted: tuple[float, float]) -> None:
    with pytest.raises(HydranetError, match='near < far'):
        depth_colors((1.0, 80.0), wanted)
