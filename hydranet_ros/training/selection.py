# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Which of a training's evaluations is the best."""

from __future__ import annotations

from collections.abc import Mapping
import math

Figures = Mapping[str, Mapping[str, float]]
"""``dataset/split`` to figure to value."""

HIGHER_IS_BETTER = frozenset(
    {'mean_iou', 'pixel_accuracy', 'mean_accuracy', 'delta1', 'delta2', 'delta3'}
    | {'below_11_25', 'below_22_5', 'below_30'}
)
"""Figures that measure success; all others measure errors."""


class Best:
    """
    The best value of one figure so far.

    Parameters
    ----------
    wanted
        ``DATASET/SPLIT FIGURE``; empty for the first figure that is measured.
    of
        What it is the best of, in words: values of different ones are not compared.

    Attributes
    ----------
    value
        The best value so far, None before the first.

    """

    def __init__(self, wanted: str, of: str = '') -> None:
        self._place, _, self._name = wanted.partition(' ')
        self.of = of
        self.value: float | None = None

    def improved(self, figures: Figures) -> bool:
        """Take in an evaluation and return whether it is the best so far."""
        if not self._name:
            measured = ((place, name) for place, values in figures.items() for name in values)
            self._place, self._name = next(measured, ('', ''))
        value = figures.get(self._place, {}).get(self._name, math.nan)
        if not math.isfinite(value):
            return False
        sign = 1 if self._name in HIGHER_IS_BETTER else -1
        if self.value is not None and sign * value <= sign * self.value:
            return False
        self.value = value
        return True


def summarize(figures: Figures) -> str:
    """Return the figures that matter most in one line."""
    shown = ('mean_iou', 'abs_rel', 'delta1', 'rmse', 'mean')
    return '; '.join(
        f'{place}: ' + ', '.join(f'{name} {values[name]:.4f}' for name in shown if name in values)
        for place, values in figures.items()
    )
