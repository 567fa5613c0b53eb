# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Small synthetic datasets, in the true formats, for the tests of training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import yaml

from hydranet_ros.training.recipe import Ingredient, Recipe
from hydranet_ros.training.transforms import Augmentation

STILL = Augmentation(
    flip=0, brightness=0, contrast=0, gamma=0, saturation=0, white_balance=0, grey=0
)


def write_image(path: Path, array: NDArray[np.generic]) -> Path:
    """Write a PNG, RGB if it has three channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = array[..., ::-1] if array.ndim == 3 else array
    assert cv2.imwrite(str(path), stored)
    return path


def street(seed: int, height: int = 64, width: int = 96) -> dict[str, NDArray[np.generic]]:
    """Make an image whose colours tell labels and depth: sky above, car, road below."""
    rng = np.random.default_rng(seed)
    horizon = height // 2 + int(rng.integers(-6, 7))
    rows = np.arange(height)[:, None].repeat(width, axis=1)
    labels = np.where(rows < horizon, 0, 3).astype(np.uint8)
    left = int(rng.integers(8, width - 40))
    labels[horizon - 8 : horizon + 10, left : left + 24] = 8
    depth = np.where(labels == 3, 60.0 / np.maximum(rows - horizon + 4, 1), 0.0)
    depth[labels == 8] = 6.0
    image = np.array([[120, 160, 230], [0, 0, 0], [0, 0, 0], [90, 80, 90]], np.uint8)[
        np.minimum(labels, 3)
    ]
    image[labels == 8] = (200, 30, 40)
    noise = rng.integers(-8, 9, image.shape)
    return {
        'image': np.clip(image + noise, 0, 255).astype(np.uint8),
        'segmentation': labels,
        'depth': np.round(depth * 256).astype(np.uint16),
    }


def write_streets(root: Path, count: int, *, depth_from: int = 0) -> Path:
    """Write a dataset of streets and return its dataset file; early ones may lack depth."""
    for number in range(count):
        arrays = street(number)
        write_image(root / 'image' / f'{number:03d}.png', arrays['image'])
        write_image(root / 'segmentation' / f'{number:03d}.png', arrays['segmentation'])
        if number >= depth_from:
            write_image(root / 'depth' / f'{number:03d}.png', arrays['depth'])
    content = {
        'name': 'streets',
        'root': str(root),
        'splits': {'all': {}, 'first': {'last': '000'}},
        'intrinsics': {'fx': 100.0},
        'segmentation': {'label_set': 'camvid11', 'ignore': [11]},
        'depth': {'units_per_metre': 256},
    }
    path = root / 'streets.yaml'
    path.write_text(yaml.safe_dump(content), encoding='utf-8')
    return path


def small_recipe(dataset: Path, **changes: object) -> Recipe:
    """Return a recipe small enough for a test."""
    values: dict[str, object] = {
        'name': 'small',
        'tasks': ('segmentation', 'depth'),
        'label_sets': ('camvid11',),
        'mixture': (Ingredient(str(dataset), 'all', scale=(1.0, 1.0)),),
        'canonical_focal': 100.0,
        'crops': ((64, 96),),
        'batch': 2,
        'steps': 4,
        'workers': 0,
        'augmentation': STILL,
        'log_every': 1,
        'evaluate_every': 100,
        'save_every': 2,
        **changes,
    }
    return Recipe(**values)  # type: ignore[arg-type]
