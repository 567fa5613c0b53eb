# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A trained model tells the focal lengths of its training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hydranet_ros.camera.camera import pinhole
from hydranet_ros.data.sample import Sample
from hydranet_ros.training.bundle_metadata import metadata_of, trained_focals
from hydranet_ros.training.recipe import Ingredient, Recipe


class OneCamera:
    """A dataset of grey images by one camera."""

    def __init__(self, size: tuple[int, int], fx: float | None, count: int = 3) -> None:
        self.name, self.label_set, self.about = 'camera', None, {}
        self._size, self._fx, self._count = size, fx, count

    def __len__(self) -> int:
        return self._count

    def load(self, index: int) -> Sample:
        width, height = self._size
        matrix = np.array([[self._fx, 0, width / 2], [0, self._fx, height / 2], [0, 0, 1]])
        camera = None if self._fx is None else pinhole(width, height, matrix.astype(float))
        return Sample(str(index), np.zeros((height, width, 3), np.uint8), camera=camera)

    def tasks(self, index: int) -> frozenset[str]:
        return frozenset({'depth'})


def recipe(*scales: tuple[float, float], crop: tuple[int, int] = (64, 64)) -> Recipe:
    mixture = tuple(Ingredient(f'd{n}', scale=scale) for n, scale in enumerate(scales))
    return Recipe('r', ('depth',), mixture, steps=1, crops=(crop,), canonical_focal=500.0)


def test_the_middle_third_of_one_camera_resized() -> None:
    # Log-uniform from 250 to 1000: a third is below 250 * 4 ** (1 / 3).
    found = trained_focals(recipe((0.5, 2.0)), [OneCamera((640, 480), 500.0)])
    assert found == pytest.approx((396.9, 630.0), rel=0.02)


def test_factors_that_leave_the_crop_empty_are_not_drawn() -> None:
    found = trained_focals(recipe((0.5, 2.0), crop=(480, 640)), [OneCamera((640, 480), 500.0)])
    assert found == pytest.approx((500 * 2 ** (1 / 3), 500 * 2 ** (2 / 3)), rel=0.02)


def test_datasets_count_by_their_share() -> None:
    both = recipe((1.0, 1.0), (1.0, 1.0))
    datasets = [OneCamera((640, 480), 400.0), OneCamera((640, 480), 800.0, count=100)]
    low, high = trained_focals(both, datasets) or (0, 0)
    assert low == pytest.approx(400) and high == pytest.approx(800)
    part = replace(both.mixture[0], share=9.0)
    mostly = replace(both, mixture=(part, both.mixture[1]))
    assert trained_focals(mostly, datasets) == pytest.approx((400, 400))


def test_without_cameras_the_range_is_unknown() -> None:
    one_camera = replace(recipe((0.5, 2.0)), canonical_focal=None)
    assert trained_focals(one_camera, [OneCamera((640, 480), 500.0)]) is None
    assert trained_focals(recipe((0.5, 2.0)), [OneCamera((640, 480), None)]) is None
    assert metadata_of(recipe((0.5, 2.0)), focal_range=None).focal_range is None
