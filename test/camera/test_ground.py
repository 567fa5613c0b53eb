# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Alignment of depth with the ground plane."""

from __future__ import annotations

import numpy as np
import pytest

from hydranet_ros.camera.ground import Ground
from hydranet_ros.errors import HydranetError


@pytest.mark.parametrize(('name', 'horizon'), [('a_01', 20.0), ('b_01', 30.0)])
def test_what_stands_on_the_ground_moves_with_it(name: str, horizon: float) -> None:
    """A teacher with half the metres and another horizon gives true depth after the alignment."""
    rows = np.broadcast_to(np.arange(60)[:, None] + 0.5, (60, 80))
    road = rows > 36
    # A wall stands on the road at row 40, so its inverse depth is that of row 40.
    true = np.maximum(np.where(road, rows, 40.0) - horizon, 1e-6) / (100 * 1.5)
    theirs = 2 * (np.where(road, rows, 40.0) - 15.0) / (100 * 1.5)
    teacher = (1 / theirs).astype(np.float32)
    teacher[50:52, 30:40] = 1.0  # an object on the road that is labelled as road
    ground = Ground(('road',), 1.5, 30 / 60, {'a_': 20 / 60}, maximum=100.0, align=True)
    laid = ground.laid(teacher, road, 100.0, name)
    np.testing.assert_allclose(laid, 1 / true, rtol=1e-3)
    little = np.zeros_like(road)
    little[50, :48] = True  # 1 % of the image
    assert np.isnan(ground.laid(teacher, little, 100.0, name)).all()
    falling = np.where(road, 1 / teacher, teacher)  # depth grows downwards: no ground
    assert np.isnan(ground.laid(falling, road, 100.0, name)).all()


@pytest.mark.parametrize('wrong', [{'height': 0.0}, {'height': -1.0}, {'maximum': 0.0}])
def test_impossible_ground_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(HydranetError, match='above 0'):
        Ground(**{'classes': ('road',), 'height': 1.5, 'horizon': 0.5, **wrong})
