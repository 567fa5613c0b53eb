# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Find the best evaluation of a training."""

from __future__ import annotations

from collections.abc import Mapping
import math

from hydranet_ros.evaluation.figures import FIGURES

Figures = Mapping[str, Mapping[str, float]]
"""Values by ``dataset/split``, then by name of the figure."""


class Best:
    """
    The best value of a figure so far.

    ``wanted`` is ``DATASET/SPLIT FIGURE``, or empty for the first measured figure. ``of``
    describes what is evaluated: after resuming, a saved value with another ``of`` is ignored.
    """

    def __init__(self, wanted: str, of: str = '') -> None:
        self._place, _, self._name = wanted.partition(' ')
        self.of = of
        self.value: float | None = None  # before the first evaluation

    def improved(self, figures: Figures) -> bool:
        """Return whether an evaluation is the best so far; if so, keep its value."""
        if not self._name:
            measured = ((place, name) for place, values in figures.items() for name in values)
            self._place, self._name = next(measured, ('', ''))
        value = figures.get(self._place, {}).get(self._name, math.nan)
        if not math.isfinite(value):
            return False
        sign = FIGURES[self._name].sign
        if self.value is not None and sign * value <= sign * self.value:
            return False
        self.value = value
        return True


def summarize(figures: Figures) -> str:
    """Return the most important figures in one line."""
    shown = ('mean_iou', 'abs_rel', 'delta1', 'rmse', 'mean')
    return '; '.join(
        f'{place}: ' + ', '.join(f'{name} {values[name]:.4f}' for name in shown if name in values)
        for place, values in figures.items()
    )
