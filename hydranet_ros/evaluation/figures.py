# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The table of figures (values of metrics): name, unit, and whether higher is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A metric of a task, such as mIoU."""

    task: str
    name: str  # key in reports and logs
    title: str  # for tables and plots
    unit: str = ''  # 'm', 'deg', or '%' for a share that is stored as 0 to 1
    higher_is_better: bool = False

    @property
    def factor(self) -> float:
        """Return the factor from stored values to values in the unit."""
        return 100.0 if self.unit == '%' else 1.0

    @property
    def sign(self) -> int:
        """Return 1, or -1 if lower is better; value times sign is the quality of the value."""
        return 1 if self.higher_is_better else -1

    def number(self, value: float, sign: str = '') -> str:
        """Return a value in the unit, without the unit; ``sign`` is that of a format, e.g. +."""
        decimals = 1 if self.unit in ('%', 'deg') else 3
        return f'{self.factor * value:{sign}.{decimals}f}'

    def text(self, value: float) -> str:
        """Return a value with title and unit, e.g. ``mIoU 74.4 %``."""
        return f'{self.title} {self.number(value)} {self.unit}'.rstrip()


_TABLE = (
    # The first figure of each task is its main figure, which ranks images.
    Figure('segmentation', 'mean_iou', 'mIoU', '%', higher_is_better=True),
    Figure('segmentation', 'pixel_accuracy', 'pixel accuracy', '%', higher_is_better=True),
    Figure('segmentation', 'mean_accuracy', 'mean accuracy', '%', higher_is_better=True),
    Figure('depth', 'abs_rel', 'abs rel'),
    Figure('depth', 'sq_rel', 'sq rel', 'm'),
    Figure('depth', 'rmse', 'RMSE', 'm'),
    Figure('depth', 'rmse_log', 'RMSE log'),  # natural logarithm
    Figure('depth', 'log10', 'log10'),
    Figure('depth', 'silog', 'SILog'),  # as in BTS: 100 · sqrt(mean e² - (mean e)²), e = log error
    # Share of the pixels whose depth is wrong by a factor of less than 1.25.
    Figure('depth', 'delta1', 'd<1.25', higher_is_better=True),
    Figure('depth', 'delta2', 'd<1.25^2', higher_is_better=True),
    Figure('depth', 'delta3', 'd<1.25^3', higher_is_better=True),
    Figure('normals', 'mean', 'mean angle', 'deg'),
    Figure('normals', 'median', 'median angle', 'deg'),
    Figure('normals', 'below_11_25', 'under 11.25 deg', '%', higher_is_better=True),
    Figure('normals', 'below_22_5', 'under 22.5 deg', '%', higher_is_better=True),
    Figure('normals', 'below_30', 'under 30 deg', '%', higher_is_better=True),
)
FIGURES: Mapping[str, Figure] = {figure.name: figure for figure in _TABLE}
"""Figures by name, in the order in which tables show them."""


def figures_of(task: str) -> list[Figure]:
    """Return the figures of a task, the main one first."""
    return [figure for figure in FIGURES.values() if figure.task == task]


def quality_text(task: str, quality: float) -> str:
    """Return a quality as text: the main figure of the task, with title and unit."""
    main = figures_of(task)[0]
    return main.text(main.sign * quality)
