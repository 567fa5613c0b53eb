# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare reports frame by frame, with a confidence interval for each difference.

Frames of two reports are paired by stamp, and the figures are computed again over the pairs.
Intervals are bootstrapped. Neighbouring frames resemble each other, so drawing single frames would
give intervals that are too narrow. Instead, runs of frames are drawn (moving blocks; Künsch,
1989), the same runs for both reports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.figures import Figure, FIGURES
from hydranet_ros.evaluation.metrics import mean_iou

DRAWS = 2000
CONFIDENCE = 0.95
_SEED = 0

Weights = NDArray[np.float64]
"""How often each frame was drawn."""


Compute = Callable[[Weights], float]
"""Computes a figure over the drawn frames."""
Rows = Sequence[Mapping[str, Any]]
"""The figures of one task in each frame, from `FrameEvaluation.rows`."""


def _column(rows: Rows, key: str) -> NDArray[np.float64]:
    return np.array([row[key] for row in rows], np.float64)


def _mean_iou(rows: Rows) -> Compute:
    """Return the mIoU over the pixels of all frames together."""
    hits, true, found = (_column(rows, key) for key in ('hits', 'true', 'found'))
    return lambda weights: mean_iou(weights @ hits, weights @ true, weights @ found)


def _pixel_accuracy(rows: Rows) -> Compute:
    hits, true = _column(rows, 'hits').sum(axis=1), _column(rows, 'true').sum(axis=1)
    return lambda weights: float(weights @ hits / (weights @ true))


def _pooled(key: str, power: int = 1) -> Callable[[Rows], Compute]:
    """Return the mean of a figure over all pixels; with ``power=2``, the root mean square."""

    def prepare(rows: Rows) -> Compute:
        pixels = _column(rows, 'pixels')
        sums = pixels * _column(rows, key) ** power
        return lambda weights: float((weights @ sums / (weights @ pixels)) ** (1 / power))

    return prepare


def _mean_of_frames(key: str) -> Callable[[Rows], Compute]:
    def prepare(rows: Rows) -> Compute:
        values = _column(rows, key)
        return lambda weights: float(weights @ values / weights.sum())

    return prepare


_COMPUTED: Mapping[str, Callable[[Rows], Compute]] = {
    'mean_iou': _mean_iou,
    'pixel_accuracy': _pixel_accuracy,
    'abs_rel': _pooled('abs_rel'),
    'sq_rel': _pooled('sq_rel'),
    'rmse': _pooled('rmse', 2),
    'rmse_log': _pooled('rmse_log', 2),
    'delta1': _pooled('delta1'),
    'mean': _mean_of_frames('mean'),
}
"""Figures to compare: those of normals are means over frames, others are over all pixels."""


@dataclass(frozen=True)
class Difference:
    """One figure, compared between two reports."""

    figure: Figure
    frames: int  # number of pairs
    before: float
    after: float
    low: float  # ends of the confidence interval of after - before
    high: float

    @property
    def verdict(self) -> str:
        """Return ``better``, ``worse``, or ``unclear`` if the interval contains zero."""
        if self.low <= 0 <= self.high:
            return 'unclear'
        return 'better' if (self.low > 0) == self.figure.higher_is_better else 'worse'


def read_report(path: Path) -> dict[str, Any]:
    """
    Read a ``report.json``, given as a file or as its folder.

    Raises HydranetError if the file is not a report of a recording.
    """
    file = path / 'report.json' if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except OSError as error:
        raise HydranetError(f'{file} cannot be read: {error.strerror}.') from error
    except ValueError as error:
        raise HydranetError(f'{file} is not a report: {error}.') from error
    if not isinstance(content, dict) or not {'frames', 'protocol', 'about'} <= content.keys():
        raise HydranetError(
            f'{file} is not a report of a recording; hydranet evaluate-bag and hydranet replay '
            'write one.'
        )
    return content


def compare_reports(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    draws: int = DRAWS,
    confidence: float = CONFIDENCE,
    block: int | None = None,
) -> list[Difference]:
    """
    Compare two reports on the frames that both measured.

    ``draws`` is the number of bootstrap samples, ``block`` the number of neighbouring frames that
    are drawn together (None: the square root of the number of frames). Raises HydranetError if
    label set, depth range or crop differ, or no frame is in both reports.
    """
    for key in ('label_set', 'depth_range', 'crop'):
        ours, theirs = before['protocol'][key], after['protocol'][key]
        if ours != theirs:
            raise HydranetError(
                f'The reports cannot be compared: their {key.replace("_", " ")} differs ({ours} '
                f'and {theirs}).'
            )
    later = {row['stamp']: row for row in after['frames']}
    pairs = [(row, later[row['stamp']]) for row in before['frames'] if row['stamp'] in later]
    if not pairs:
        raise HydranetError('The reports have no frame in common: no stamp is in both.')
    differences = []
    for name in _COMPUTED:
        figure, task = FIGURES[name], FIGURES[name].task
        both = [(a[task], b[task]) for a, b in pairs if task in a and task in b]
        if both:
            differences.append(_difference(figure, both, draws, confidence, block))
    if not differences:
        raise HydranetError('The reports have no task in common.')
    return differences


def _difference(
    figure: Figure,
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    draws: int,
    confidence: float,
    block: int | None,
) -> Difference:
    count = len(pairs)
    before, after = (_COMPUTED[figure.name]([pair[side] for pair in pairs]) for side in (0, 1))
    weights = block_weights(count, draws, block or max(1, round(count**0.5)))
    changes = np.array([after(weight) - before(weight) for weight in weights])
    tail = (1 - confidence) / 2
    low, high = np.quantile(changes, [tail, 1 - tail])
    once = np.ones(count)
    return Difference(figure, count, before(once), after(once), float(low), float(high))


def block_weights(count: int, draws: int, block: int) -> NDArray[np.float64]:
    """
    Draw runs of ``block`` neighbouring frames with replacement; frame 0 follows the last frame.

    Returns a draws × count array: how often each bootstrap sample has each frame. Rows sum to
    ``count``.
    """
    block = min(block, count)
    generator = np.random.default_rng(_SEED)
    runs = -(-count // block)
    starts = generator.integers(0, count, (draws, runs))
    drawn = (starts[:, :, None] + np.arange(block)) % count
    drawn = drawn.reshape(draws, -1)[:, :count]
    weights = np.zeros((draws, count))
    np.add.at(weights, (np.arange(draws)[:, None], drawn), 1.0)
    return weights


def faults_of_reports(names: Sequence[str], reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what is wrong with the recordings of the reports, such as an assumed focal length."""
    return [
        f'{name}: {fault}'
        for name, report in zip(names, reports, strict=True)
        for fault in report.get('faults', ())
    ]


def comparison_table(
    names: Sequence[str], comparisons: Sequence[Sequence[Difference]], confidence: float
) -> str:
    """
    Return Markdown tables that compare each later report with the first.

    ``names`` has one entry per report, ``comparisons`` one per report after the first.
    """
    percent = f'{100 * confidence:g} %'
    lines = []
    for name, differences in zip(names[1:], comparisons, strict=True):
        lines += [
            f'**{name}** against **{names[0]}**',
            '',
            f'| Figure | Frames | {names[0]} | {name} | Difference | {percent} interval | |',
            '|---|---|---|---|---|---|---|',
        ]
        for each in differences:
            change = each.after - each.before
            lines.append(
                f'| {each.figure.task} {each.figure.name} | {each.frames} | {each.before:.4f} | '
                f'{each.after:.4f} | {change:+.4f} | {each.low:+.4f} … {each.high:+.4f} | '
                f'{each.verdict} |'
            )
        lines.append('')
    return '\n'.join(lines)
