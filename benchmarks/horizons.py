#!/usr/bin/env python3
# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Find the horizon in the images of a dataset, from where lane marks and kerbs meet.

The script prints the row of the vanishing point as a share of the image height: the median and the
quartiles over the images whose names have the same prefix. The median is the `horizon` of `ground`
in docs/reference/distillation.md. Line segments on ground classes vote for the vanishing point
(RANSAC over pairs of segments).

    python benchmarks/horizons.py camvid --split train --prefix 6 --set data=DIR
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.cli.common import parse_variables
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set

ENLARGED = 2
DRAWS = 1500
AIM = 0.025
"""Sine of the largest angle between a segment and the direction of the point it votes for."""


def main() -> None:
    """Print the horizon of each group of images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('dataset')
    parser.add_argument('--split', default='train')
    parser.add_argument(
        '--prefix',
        type=int,
        default=0,
        help='number of leading characters of an image name that identify the camera',
    )
    parser.add_argument('--classes', nargs='+', default=['road', 'pavement'])
    parser.add_argument('--set', nargs='*', default=[], metavar='NAME=VALUE')
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, arguments.split, parse_variables(arguments.set))
    names = load_label_set(dataset.label_set).classes
    ids = [names.index(name) for name in arguments.classes]
    found = defaultdict(list)
    rng = np.random.default_rng(0)
    for index in range(len(dataset)):
        sample = dataset.load(index)
        row = vanishing_row(sample.image, np.isin(sample.segmentation, ids), rng)
        if row is not None:
            found[Path(sample.name).name[: arguments.prefix]].append(row)
    for prefix, rows in found.items():
        low, median, high = np.percentile(rows, [25, 50, 75])
        print(f'{prefix or "all"}: {median:.3f} ({low:.3f} to {high:.3f}), {len(rows)} images')


def vanishing_row(
    rgb: NDArray[np.uint8], ground: NDArray[np.bool_], rng: np.random.Generator
) -> float | None:
    """Return the row of the vanishing point as a share of the height, None if not found."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    height, width = grey.shape
    # The detector has a threshold on brightness, so brighten dark images.
    grey = cv2.convertScaleAbs(grey, alpha=min(4.0, 110 / max(grey[height // 2 :].mean(), 1.0)))
    wide = cv2.dilate(ground.astype(np.uint8), np.ones((5, 5), np.uint8))
    segments = cv2.createLineSegmentDetector().detect(grey)[0]
    if segments is None:
        return None
    start, end = segments[:, 0, :2], segments[:, 0, 2:]
    middle, along = (start + end) / 2, end - start
    length = np.linalg.norm(along, axis=1)
    slope = np.degrees(np.arctan2(np.abs(along[:, 1]), np.abs(along[:, 0])))
    column, row = (middle / ENLARGED).astype(int).T
    inside = wide[row.clip(0, wide.shape[0] - 1), column.clip(0, wide.shape[1] - 1)] > 0
    # Horizontal and vertical segments are not marks along the road.
    kept = inside & (length > 0.05 * width) & (slope > 6) & (slope < 75)
    start, end, middle, along, length = (x[kept] for x in (start, end, middle, along, length))
    if len(start) < 6:
        return None
    ones = np.ones((len(start), 1))
    lines = np.cross(np.hstack([start, ones]), np.hstack([end, ones]))
    best, point = 0.0, None
    for _ in range(DRAWS):
        one, other = rng.choice(len(lines), 2, replace=False)
        meeting = np.cross(lines[one], lines[other])
        if abs(meeting[2]) < 1e-9:
            continue
        x, y = meeting[:2] / meeting[2]
        if not (0.25 < x / width < 0.75 and 0.3 < y / height < 0.72):
            continue
        toward = np.array([x, y]) - middle
        distance = np.linalg.norm(toward, axis=1)
        miss = np.abs(toward[:, 0] * along[:, 1] - toward[:, 1] * along[:, 0])
        voting = (miss < AIM * distance * length) & (distance > 0.08 * width)
        if length[voting].sum() > best and voting.sum() >= 5:
            best, point = float(length[voting].sum()), y / height
    return None if point is None else float(point)


if __name__ == '__main__':
    try:
        main()
    except HydranetError as error:
        sys.exit(f'horizons: {error}')
