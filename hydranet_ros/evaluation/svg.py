# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG text, for a page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
import math

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 26, 38
_INK, _PALE, _ACCENT = '#222', '#ddd', '#2a6fb0'
_COLORS = ('#2a6fb0', '#c8501e', '#2f8f4e', '#8a4bb0', '#b08a1e', '#555')
_TICKS = 5
_FLAT = 1e-12
"""A range as narrow as this has nothing to show; powers of ten below would underflow."""


def line_plot(
    title: str, x: Sequence[float], y: Sequence[float], x_label: str, *, lowest: float = 0.0
) -> str:
    """
    Plot a curve, broken where it is not finite.

    Parameters
    ----------
    title
        Said above; names the quantity and its unit.
    x, y
        Points, in the order of x.
    x_label
        Said below.
    lowest
        Lower end of the vertical axis.

    """
    values = np.array(y, float)
    finite = values[np.isfinite(values)]
    top = _round_up(float(finite.max()) if finite.size else lowest + 1.0, lowest)
    first, last = (min(x), max(x)) if x else (0.0, 1.0)
    if last <= first:
        last = first + 1
    frame = _Frame(first, last, lowest, top)
    pieces: list[list[str]] = [[]]
    for at, value in zip(x, values.tolist(), strict=True):
        if math.isfinite(value):
            pieces[-1].append(f'{frame.x(at):.1f},{frame.y(value):.1f}')
        elif pieces[-1]:
            pieces.append([])
    body = ''.join(
        f'<polyline points="{" ".join(piece)}" fill="none" stroke="{_ACCENT}" '
        'stroke-width="1.5" stroke-linecap="round"/>'
        if len(piece) > 1
        else f'<circle cx="{piece[0].split(",")[0]}" cy="{piece[0].split(",")[1]}" r="2" '
        f'fill="{_ACCENT}"/>'
        for piece in pieces
        if piece
    )
    return _svg(title, frame.axes(x_label) + body)


def curves_plot(
    title: str, curves: Mapping[str, Sequence[tuple[float, float]]], x_label: str
) -> str:
    """
    Plot several curves over one axis, with a legend.

    Parameters
    ----------
    title
        Said above; names the quantity and its unit.
    curves
        Name to points (x, y), in the order of x; y finite and not negative.
    x_label
        Said below.

    """
    points = [point for curve in curves.values() for point in curve] or [(0.0, 0.0)]
    x, y = zip(*points, strict=True)
    right = max(x) if max(x) > min(x) else min(x) + 1
    frame = _Frame(min(x), right, 0.0, _round_up(max(y), 0.0))
    parts = [frame.axes(x_label)]
    for index, (name, curve) in enumerate(curves.items()):
        color = _COLORS[index % len(_COLORS)]
        line = ' '.join(f'{frame.x(x):.1f},{frame.y(y):.1f}' for x, y in curve)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        )
        parts.append(_text(_LEFT, HEIGHT + 14 + 16 * index, f'— {name}', color=color))
    return _svg(title, ''.join(parts), HEIGHT + 16 * len(curves) + 8)


def histogram_plot(title: str, edges: Sequence[float], counts: Sequence[int], x_label: str) -> str:
    """Plot the share of counts between edges, in per cent."""
    total = max(sum(counts), 1)
    shares = [100 * count / total for count in counts]
    frame = _Frame(edges[0], edges[-1], 0.0, _round_up(max(shares, default=1.0), 0.0))
    bars = ''.join(
        f'<rect x="{frame.x(left):.1f}" y="{frame.y(share):.1f}" '
        f'width="{max(frame.x(right) - frame.x(left) - 1, 0.5):.1f}" '
        f'height="{frame.y(0) - frame.y(share):.1f}" fill="{_ACCENT}"/>'
        for left, right, share in zip(edges, edges[1:], shares, strict=False)
    )
    return _svg(title, frame.axes(x_label) + bars)


def bar_plot(
    title: str, names: Sequence[str], shares: Sequence[float | None], colors: Sequence[str]
) -> str:
    """Plot shares from 0 to 1 as horizontal bars in per cent; None is said to be absent."""
    row, left, span = 20, 130, WIDTH - 130 - 60
    parts = []
    for index, (name, share, color) in enumerate(zip(names, shares, colors, strict=True)):
        y = _TOP + index * row
        parts.append(_text(left - 6, y + 14, name, 'end'))
        known = share is not None and math.isfinite(share)
        width = span * share if known and share is not None else 0.0
        parts.append(
            f'<rect x="{left}" y="{y + 3}" width="{width:.1f}" height="{row - 6}" '
            f'fill="{color}" stroke="#888" stroke-width="0.5"/>'
        )
        said = f'{100 * share:.1f} %' if known and share is not None else 'absent'
        parts.append(_text(left + width + 6, y + 14, said))
    return _svg(title, ''.join(parts), _TOP + row * len(names) + 8)


def confusion_plot(title: str, names: Sequence[str], counts: NDArray[np.integer]) -> str:
    """
    Plot a confusion matrix: shares of each true class (row), in per cent.

    Parameters
    ----------
    title
        Said above.
    names
        Of the classes.
    counts
        n × n or n × (n + 1): pixels by true (row) and predicted class (column), the last one
        for predictions that are no class.

    """
    columns = [*names, 'none'][: counts.shape[1]]
    cell = max(22, min(40, 480 // max(len(columns), 1)))
    left, top = 130, _TOP + 90
    parts = []
    totals = counts.sum(axis=1)
    for j, name in enumerate(columns):
        x = left + j * cell + cell / 2
        parts.append(
            f'<text transform="translate({x + 4:.1f},{top - 6}) rotate(-60)" font-size="11" '
            f'fill="{_INK}">{escape(name)}</text>'
        )
    for i, name in enumerate(names):
        parts.append(_text(left - 6, top + i * cell + cell / 2 + 4, name, 'end'))
        for j in range(len(columns)):
            share = counts[i, j] / totals[i] if totals[i] else 0.0
            shade = round(255 - 200 * share)
            parts.append(
                f'<rect x="{left + j * cell}" y="{top + i * cell}" width="{cell}" '
                f'height="{cell}" fill="rgb({shade},{shade},255)" stroke="#fff"/>'
            )
            if share >= 0.005:
                said = f'{100 * share:.0f}'
                x, y = left + j * cell + cell / 2, top + i * cell + cell / 2 + 4
                parts.append(_text(x, y, said, 'middle', 'white' if share > 0.6 else _INK))
    height = top + len(names) * cell + 10
    return _svg(title, ''.join(parts), height, left + len(columns) * cell + 20)


class _Frame:
    """Axes, and where values lie between them."""

    def __init__(self, left: float, right: float, bottom: float, top: float) -> None:
        self._left, self._right, self._bottom, self._top = left, right, bottom, top

    def x(self, value: float) -> float:
        share = (value - self._left) / (self._right - self._left)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self._bottom) / (self._top - self._bottom)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def axes(self, x_label: str) -> str:
        parts = []
        for value in np.linspace(self._bottom, self._top, _TICKS).tolist():
            y = self.y(value)
            parts.append(
                f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{_PALE}"/>' + _text(_LEFT - 6, y + 4, f'{value:.3g}', 'end')
            )
        parts += [
            _text(self.x(value), HEIGHT - _BOTTOM + 15, f'{value:.4g}', 'middle')
            for value in np.linspace(self._left, self._right, _TICKS).tolist()
        ]
        parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 6, x_label, 'middle'))
        return ''.join(parts)


def _svg(title: str, body: str, height: float = HEIGHT, width: float = WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" role="img">'
        f'<title>{escape(title)}</title>'
        f'<text x="{_LEFT}" y="16" font-size="13" font-weight="bold">{escape(title)}</text>'
        f'{body}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = 'start', color: str = _INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="{anchor}" '
        f'fill="{color}">{escape(text)}</text>'
    )


def _round_up(value: float, lowest: float) -> float:
    """Return a round number at or above a value, above the lowest."""
    span = value - lowest
    if not span > _FLAT:
        return lowest + 1.0
    power = 10.0 ** math.floor(math.log10(span))
    steps = (step * power for step in (1, 1.5, 2, 3, 4, 5, 7.5) if step * power >= span)
    return lowest + next(steps, 10 * power)
