# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a recording as one HTML page; needs the extra ``report``."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader
import numpy as np

from hydranet_ros.evaluation import plots
from hydranet_ros.evaluation.figures import FIGURES, quality_text
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation
from hydranet_ros.messages.stamps import NANOSECONDS

_CURVES = ('mean_iou', 'abs_rel', 'rmse', 'mean')


def html_report(
    title: str,
    figures: str,
    account: Iterable[str],
    content: Mapping[str, Any],
    frames: FrameEvaluation,
) -> str:
    """Return a self-contained page with metrics, counts of frames, plots and pictures."""
    loader = PackageLoader('hydranet_ros.evaluation')
    template = Environment(loader=loader, autoescape=True).get_template('report.html.jinja')
    return template.render(
        title=title,
        figures=figures,
        account=account,
        plots=_plots(content, frames),
        pictures=_pictures(frames),
        about=content['about'],
    )


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
