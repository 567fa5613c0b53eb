# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare reports frame by frame, with an interval of each difference.

The frames of two reports are paired by their stamps, and the figures computed anew over the
pairs. Frames of a recording resemble their neighbours, so the bootstrap draws runs of frames
(moving blocks; Künsch, 1989), the same ones for both: drawn one by one, its intervals would be far
too narrow.
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

DRAWS = 2000
CONFIDENCE = 0.95
_SEED = 0

Weights = NDArray[np.float64]
"""How often each frame was drawn."""


@dataclass(frozen=True)
class Figure:
    """
    A figure that is compared.

    Attributes
    ----------
    task, name
        Of the figure.
    larger_is_better
        Its direction.
    compute
        From rows (plain figures of frames) to a function from weights to the figure.

    """

    task: str
    name: str
    larger_is_better: bool
    compute: Callable[[Sequence[Mapping[str, Any]]], Callable[[Weights], float]]


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    return np.array([row[key] for row in rows], np.float64)


def _mean_iou(rows: Sequence[Mapping[str, Any]]) -> Callable[[Weights], float]:
    """Return the mIoU over the pixels of all frames together."""
    hits, true, found = (_column(rows, key) for key in ('hits', 'true', 'found'))

    def compute(weights: Weights) -> float:
        hit, positive, predicted = weights @ hits, weights @ true, weights @ found
        present = positive > 0
        return float(np.mean(hit[present] / (positive + predicted - hit)[present]))

    return compute


def _pixel_accuracy(rows: Sequence[Mapping[str, Any]]) -> Callable[[Weights], float]:
    hits, true = _column(rows, 'hits').sum(axis=1), _column(rows, 'true').sum(axis=1)
    return lambda weights: float(weights @ hits / (weights @ true))


def _pooled(key: str, power: int = 1) -> Callable[..., Callable[[Weights], float]]:
    """Return a figure that is a (root of a) mean over all pixels."""

    def prepare(rows: Sequence[Mapping[str, Any]]) -> Callable[[Weights], float]:
        pixels = _column(rows, 'pixels')
        sums = pixels * _column(rows, key) ** power
        return lambda weights: float((weights @ sums / (weights @ pixels)) ** (1 / power))

    return prepare


def _mean_of_frames(key: str) -> Callable[..., Callable[[Weights], float]]:
    def prepare(rows: Sequence[Mapping[str, Any]]) -> Callable[[Weights], float]:
        values = _column(rows, key)
        return lambda weights: float(weights @ values / weights.sum())

    return prepare


FIGURES = (
    Figure('segmentation', 'mean_iou', True, _mean_iou),
    Figure('segmentation', 'pixel_accuracy', True, _pixel_accuracy),
    Figure('depth', 'abs_rel', False, _pooled('abs_rel')),
    Figure('depth', 'sq_rel', False, _pooled('sq_rel')),
    Figure('depth', 'rmse', False, _pooled('rmse', 2)),
    Figure('depth', 'rmse_log', False, _pooled('rmse_log', 2)),
    Figure('depth', 'delta1', True, _pooled('delta1')),
    Figure('normals', 'mean', False, _mean_of_frames('mean')),
)
"""What is compared; normals as the mean of the frames' means, the others over all pixels."""


@dataclass(frozen=True)
class Difference:
    """
    One figure of two reports.

    Attributes
    ----------
    figure
        Which.
    frames
        Number of pairs.
    before, after
        The first and the second report's.
    low, high
        Interval of the difference ``after - before``.

    """

    figure: Figure
    frames: int
    before: float
    after: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Return ``better``, ``worse``, or ``unclear`` where the interval holds zero."""
        if self.low <= 0 <= self.high:
            return 'unclear'
        return 'better' if (self.low > 0) == self.figure.larger_is_better else 'worse'


def read_report(path: Path) -> dict[str, Any]:
    """
    Read a report of a recording.

    Parameters
    ----------
    path
        Its ``report.json``, or the folder that holds it.

    Raises
    ------
    HydranetError
        If it is none.

    """
    file = path / 'report.json' if path.is_dir() else path
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except OSError as error:
        raise HydranetError(f'{file} cannot be read: {error.strerror}.') from error
    except ValueError as error:
        raise HydranetError(f'{file} is no report: {error}.') from error
    if not isinstance(content, dict) or not {'frames', 'protocol', 'about'} <= content.keys():
        raise HydranetError(
            f'{file} is no report of a recording; hydranet evaluate-bag and hydranet replay '
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

    Parameters
    ----------
    before, after
        As `read_report` returns them.
    draws
        Number of times that the bootstrap draws.
    confidence
        Of the interval, between 0 and 1.
    block
        Number of neighbouring frames that are drawn together; the square root of the number of
        frames if None.

    Raises
    ------
    HydranetError
        If the reports measured different things or have no frame in common.

    """
    for key in ('label_set', 'depth_range', 'crop'):
        ours, theirs = before['protocol'][key], after['protocol'][key]
        if ours != theirs:
            raise HydranetError(
                f'The reports cannot be compared: their {key.replace("_", " ")} is {ours} and '
                f'{theirs}.'
            )
    later = {row['stamp']: row for row in after['frames']}
    pairs = [(row, later[row['stamp']]) for row in before['frames'] if row['stamp'] in later]
    if not pairs:
        raise HydranetError('The reports have no frame in common: no stamp is in both.')
    differences = []
    for figure in FIGURES:
        task = figure.task
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
    before, after = (figure.compute([pair[side] for pair in pairs]) for side in (0, 1))
    weights = block_weights(count, draws, block or max(1, round(count**0.5)))
    changes = np.array([after(weight) - before(weight) for weight in weights])
    tail = (1 - confidence) / 2
    low, high = np.quantile(changes, [tail, 1 - tail])
    once = np.ones(count)
    return Difference(figure, count, before(once), after(once), float(low), float(high))


def block_weights(count: int, draws: int, block: int) -> NDArray[np.float64]:
    """
    Draw runs of neighbouring frames, around the end to the beginning, with replacement.

    Parameters
    ----------
    count
        Number of frames.
    draws
        Number of samples.
    block
        Length of a run.

    Returns
    -------
    draws × count: how often each frame is in each sample; every row adds up to ``count``.

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


def comparison_table(
    names: Sequence[str], comparisons: Sequence[Sequence[Difference]], confidence: float
) -> str:
    """
    Return a Markdown table of the first report against each other one.

    Parameters
    ----------
    names
        Of all reports, the first one's first.
    comparisons
        Differences of each other one from the first.
    confidence
        Of the intervals.

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
