# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The views that a teacher is shown."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from distillation_data import blocks, paint
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.tiled_views import Views


@settings(deadline=None, max_examples=80)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 200),
    aspect=st.none() | st.floats(0.3, 4),
    overlap=st.floats(0, 0.8),
    zooms=st.lists(st.floats(1, 3), min_size=1, max_size=2),
)
def test_tiles_cover_the_image_at_every_zoom(
    height: int, width: int, aspect: float | None, overlap: float, zooms: list[float]
) -> None:
    for zoom in zooms:
        covered = np.zeros((height, width), bool)
        for rows, columns in Views(aspect, overlap, (zoom,)).windows(height, width):
            assert 0 <= rows.start < rows.stop <= height
            assert 0 <= columns.start < columns.stop <= width
            covered[rows, columns] = True
        assert covered.all()


def test_wide_frames_are_cut_at_the_wanted_shape_with_overlap() -> None:
    windows = list(Views(aspect=1.3, overlap=0.25).windows(370, 1226))
    columns = [window[1] for window in windows]
    assert all(window[0] == slice(0, 370) for window in windows)
    assert {each.stop - each.start for each in columns} == {481}
    for left, right in pairwise(columns):
        assert left.stop - right.start >= 0.25 * 481 - 1


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 99),
    aspect=st.none() | st.floats(0.5, 2),
    flip=st.booleans(),
    zooms=st.sampled_from([(1.0,), (1.0, 1.7)]),
)
def test_the_views_of_a_pixelwise_teacher_agree(
    seed: int, aspect: float | None, flip: bool, zooms: tuple[float, ...]
) -> None:
    rgb = paint(blocks(seed, 30, 77))
    views = Views(aspect, 0.3, zooms, flip)
    averaged = views.average(rgb, lambda tile: tile.astype(np.float32))
    np.testing.assert_allclose(averaged, rgb, atol=1e-3)


def test_gammas_are_other_exposures() -> None:
    rgb = np.full((4, 4, 3), 64, np.uint8)
    averaged = Views(gammas=(1.0, 0.5)).average(rgb, lambda tile: tile.astype(np.float32))
    np.testing.assert_allclose(averaged, (64 + np.round(255 * (64 / 255) ** 0.5)) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    'wrong', [{'aspect': 0.0}, {'overlap': 1.0}, {'zooms': (0.5,)}, {'gammas': ()}]
)
def test_impossible_views_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(HydranetError, match=r'tiles|views'):
        Views(**wrong)
