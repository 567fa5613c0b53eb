# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG text, drawn with matplotlib; needs the extra ``report``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import html
import io
import json
import math
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 8.0, 3.2  # inches; one inch is 72 SVG points
_STYLE: Any = {
    'axes.axisbelow': True,
    'axes.grid': True,
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.titlelocation': 'left',
    'axes.titlesize': 11,
    'axes.titleweight': 'bold',
    'font.size': 10,
    'grid.color': '#ddd',
    'svg.fonttype': 'none',  # keep text as text
    'svg.hashsalt': 'hydranet_ros',  # equal plots give equal files
    'text.parse_math': False,
}
_NO_METADATA = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))


def line_plot(title: str, x: Sequence[float], y: Sequence[float], x_label: str, unit: str) -> str:
    """
    Plot a curve with gaps where values are not finite; the vertical axis starts at 0.

    The attribute ``data-points`` of the SVG element holds the values with their places in the
    drawing, so that the page can show the value at the pointer.
    """
    places, values = np.array(x, float), np.array(y, float)
    known = np.isfinite(values)
    alone = known & ~np.append(known[1:], False) & ~np.append(False, known[:-1])

    def draw(axes: Axes) -> None:
        axes.plot(places, np.where(known, values, np.nan), linewidth=1.2)
        axes.plot(places[alone], values[alone], '.', color='C0')
        axes.set(xlabel=x_label, ylabel=unit)
        _from_zero(axes, values[known].tolist())

    return _svg(
        title, draw, points=list(zip(places[known].tolist(), values[known].tolist(), strict=True))
    )


def curves_plot(
    title: str, curves: Mapping[str, Sequence[tuple[float, float]]], x_label: str
) -> str:
    """Plot named curves of points (x, y) in one diagram, with a legend below."""

    def draw(axes: Axes) -> None:
        for name, points in curves.items():
            x, y = [point[0] for point in points], [point[1] for point in points]
            axes.plot(x, y, '.-', linewidth=1.2, label=name)
        axes.set(xlabel=x_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _from_zero(axes, [y for points in curves.values() for _, y in points])
        if curves:
            axes.figure.legend(loc='outside lower left', frameon=False)

    return _svg(title, draw, _HEIGHT + 0.25 * len(curves))


def histogram_plot(title: str, edges: Sequence[float], counts: Sequence[int], x_label: str) -> str:
    """Plot a histogram: the share of all counts in each bin, in percent."""
    shares = 100 * np.array(counts) / max(sum(counts), 1)

    def draw(axes: Axes) -> None:
        axes.stairs(shares, edges, fill=True)
        axes.set(xlabel=x_label, ylabel='%', xlim=(edges[0], edges[-1]))

    return _svg(title, draw)


def bar_plot(
    title: str, names: Sequence[str], shares: Sequence[float | None], colors: NDArray[np.uint8]
) -> str:
    """
    Plot shares from 0 to 1 as horizontal bars in percent; ``colors`` is n×3 RGB.

    Classes without a share, which are absent in the ground truth, have no bar.
    """
    known = [
        (name, 100 * share, color)
        for name, share, color in zip(names, shares, colors / 255, strict=True)
        if share is not None and math.isfinite(share)
    ]
    names = [name for name, _, _ in known]
    texts = [f'{share:.1f}' for _, share, _ in known]
    places = range(len(known))

    def draw(axes: Axes) -> None:
        widths = [share for _, share, _ in known]
        drawn = [color for _, _, color in known]
        bars = axes.barh(places, widths, color=drawn, edgecolor='#888', linewidth=0.5)
        axes.bar_label(bars, texts, padding=4)
        axes.set(xlabel='%', xlim=(0, 108))
        axes.set_xticks(range(0, 101, 20))
        axes.set_yticks(places, names)
        axes.grid(visible=False, axis='y')
        axes.invert_yaxis()

    return _svg(title, draw, 0.8 + 0.25 * len(names))


def confusion_plot(title: str, names: Sequence[str], counts: NDArray[np.integer]) -> str:
    """
    Plot a confusion matrix: shares of each true class (row), in percent.

    ``counts`` is n×n, or n×(n + 1) with predictions that are not a class in the last column.
    """
    # Classes that are neither true nor predicted would only take up space.
    seen = (counts.sum(axis=1) > 0) | (counts[:, : len(names)].sum(axis=0) > 0)
    columns = [name for name, kept in zip(names, seen, strict=True) if kept]
    counts = counts[seen][:, [*np.flatnonzero(seen), *range(len(names), counts.shape[1])]]
    names = columns
    columns = [*columns, 'none'][: counts.shape[1]]
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def draw(axes: Axes) -> None:
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.pcolormesh(shares, cmap='Blues', vmin=0, vmax=110, edgecolors='white')
        for row, column in zip(*np.nonzero(shares >= 0.5), strict=True):
            share = shares[row, column]
            color = 'white' if share > 60 else 'black'
            place = (column + 0.5, row + 0.5)
            axes.annotate(f'{share:.0f}', place, ha='center', va='center', color=color)
        axes.set(xlabel='predicted class', ylabel='true class', aspect='equal')
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=60, ha='right')
        axes.set_yticks(np.arange(len(names)) + 0.5, names)
        axes.tick_params(length=0)
        axes.invert_yaxis()

    return _svg(title, draw, 2 + 0.4 * len(names), 2 + 0.4 * len(columns))


def _svg(
    title: str,
    draw: Callable[[Axes], None],
    height: float = _HEIGHT,
    width: float = _WIDTH,
    points: Sequence[tuple[float, float]] = (),
) -> str:
    """Return an SVG element of a plot; ``points`` have tooltips."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout='constrained')
        axes = figure.add_subplot()
        axes.set_title(title)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format='svg', metadata=_NO_METADATA)
        drawn = axes.transData.transform(np.array(points)) if points else np.empty((0, 2))
    document = buffer.getvalue()
    element = document[document.index('<svg') :].rstrip()
    if not points:
        return element
    # SVG counts points of 1/72 inch from the top.
    scale = 72 / figure.dpi
    rows = [
        [round(px * scale, 1), round((height * 72) - py * scale, 1), x, y]
        for (px, py), (x, y) in zip(drawn.tolist(), points, strict=True)
    ]
    data = html.escape(json.dumps(rows), quote=True)
    return element.replace('<svg', f'<svg data-points="{data}"', 1)


def _from_zero(axes: Axes, values: Sequence[float]) -> None:
    """Start the vertical axis at zero, and include all values."""
    top = max(values, default=0.0)
    axes.set_ylim(0, 1.08 * top if top > 0 else 1)
    axes.margins(x=0.01)
