# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a recording as one HTML page; needs the extra ``report``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import cv2
from jinja2 import Environment, PackageLoader
import numpy as np

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.evaluation import plots
from hydranet_ros.evaluation.comparison import Difference
from hydranet_ros.evaluation.figures import FIGURES, quality_text
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.pictures.panels import depth_colors
from hydranet_ros.pictures.render import depth_legend, legend

_TILES = ('mean_iou', 'pixel_accuracy', 'abs_rel', 'rmse', 'delta1', 'mean')
_LEGEND_WIDTH = 960  # pixels
_CURVES = ('mean_iou', 'abs_rel', 'rmse', 'mean')


def html_report(
    title: str,
    figures: str,
    account: Iterable[str],
    content: Mapping[str, Any],
    frames: FrameEvaluation,
) -> str:
    """Return a self-contained page with metrics, counts of frames, plots and pictures."""
    return (
        _environment()
        .get_template('report.html.jinja')
        .render(
            title=title,
            tiles=list(_tiles(content)),
            figures=figures,
            account=account,
            plots=_plots(content, frames),
            legends=list(_legends(content, frames)),
            pictures=_pictures(frames),
            about=content['about'],
        )
    )


def html_comparison(
    names: Sequence[str],
    comparisons: Sequence[Sequence[Difference]],
    confidence: float,
    faults: Sequence[str],
) -> str:
    """Return a page that compares reports; the arguments are those of `comparison_table`."""
    return (
        _environment()
        .get_template('comparison.html.jinja')
        .render(
            first=names[0],
            comparisons=[
                (name, [_row(difference) for difference in differences])
                for name, differences in zip(names[1:], comparisons, strict=True)
            ],
            percent=f'{100 * confidence:g} %',
            faults=faults,
        )
    )


def _environment() -> Environment:
    return Environment(loader=PackageLoader('hydranet_ros.evaluation'), autoescape=True)


def _row(difference: Difference) -> dict[str, Any]:
    """Return the cells of a figure, and the ends of its interval as shares of the drawing."""
    widest = max(abs(difference.low), abs(difference.high)) or 1.0
    figure = difference.figure
    return {
        'task': figure.task,
        'title': f'{figure.title} {figure.unit}'.rstrip(),
        'frames': difference.frames,
        'before': figure.number(difference.before),
        'after': figure.number(difference.after),
        'change': figure.number(difference.after - difference.before, '+'),
        'low': figure.number(difference.low, '+'),
        'high': figure.number(difference.high, '+'),
        'left': 50 + 48 * difference.low / widest,
        'right': 50 + 48 * difference.high / widest,
        'verdict': difference.verdict,
    }


def _tiles(content: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the main figures, for the top of the page."""
    yield {'title': 'frames measured', 'value': str(content['measured']), 'unit': ''}
    for name in _TILES:
        figure = FIGURES[name]
        value = content['figures'].get(figure.task, {}).get(name)
        if value is not None:
            yield {'title': figure.title, 'value': figure.number(value), 'unit': figure.unit}


def _legends(content: Mapping[str, Any], frames: FrameEvaluation) -> Iterator[str]:
    """Yield the legends of the pictures as base64 PNG: classes that occur, and metres."""
    labels = frames.protocol.label_set
    if labels is not None and 'confusion' in content:
        counts = np.array(content['confusion'])
        seen = counts.sum(axis=1) + counts[:, : labels.size].sum(axis=0) > 0
        yield _png(legend(labels, np.flatnonzero(seen).tolist(), _LEGEND_WIDTH))
    if 'depth' in content['figures']:
        yield _png(depth_legend(*depth_colors(frames.protocol.depth_range), _LEGEND_WIDTH))


def _png(picture: RgbImage) -> str:
    encoded = cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    return b64encode(encoded.tobytes()).decode()


def _plots(content: Mapping[str, Any], frames: FrameEvaluation) -> Iterator[str]:
    """Yield plots: metrics over time, IoU of classes, confusion matrix, depth errors."""
    rows = content['frames']
    first = rows[0]['stamp'] if rows else 0
    times = [(row['stamp'] - first) / NANOSECONDS for row in rows]
    for figure in [FIGURES[name] for name in _CURVES if FIGURES[name].task in content['figures']]:
        found = [row.get(figure.task, {}).get(figure.name, float('nan')) for row in rows]
        values = [figure.factor * value for value in found]
        title = f'{figure.title} of each frame'
        yield plots.line_plot(title, times, values, 'seconds since the first frame', figure.unit)
    labels = frames.protocol.label_set
    if labels is not None and 'confusion' in content:
        classes = content['figures']['segmentation']['classes'].values()
        ious = [row['iou'] for row in classes]
        yield plots.bar_plot('IoU of each class', labels.classes, ious, labels.colors)
        counts = np.array(content['confusion'])
        yield plots.confusion_plot('Predictions for each true class, %', labels.classes, counts)
    if 'depth_errors' in content:
        errors = content['depth_errors']
        yield plots.histogram_plot(
            'Depth errors, % of pixels',
            errors['edges'],
            errors['pixels'],
            '(predicted - true) / true; the outermost bars hold all larger errors',
        )


def _pictures(frames: FrameEvaluation) -> dict[str, list[dict[str, str]]]:
    """Return text, stamp and base64 JPEG of the chosen frames, by task."""
    return {
        task: [
            {
                'text': f'{rank}: {quality_text(task, picture.quality)}',
                'stamp': '{}.{:09d}'.format(*divmod(picture.stamp, NANOSECONDS)),
                'data': b64encode(picture.jpeg).decode(),
            }
            for rank, picture in ranked.items()
        ]
        for task, ranked in frames.pictures().items()
    }
