# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a recording or of a running node: JSON, Markdown, and one page of HTML."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from hydranet_ros.data.media import naming_write_faults
from hydranet_ros.evaluation import svg
from hydranet_ros.evaluation.dataset_evaluation import Evaluation
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation
from hydranet_ros.evaluation.measures import MEASURES
from hydranet_ros.evaluation.report import text_report, to_json
from hydranet_ros.messages.stamps import NANOSECONDS

REPORT_NAMES = ('report.json', 'report.md', 'report.html')
_CURVES: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    'segmentation': (('mean_iou', 'mIoU of each frame, %', 100.0),),
    'depth': (('abs_rel', 'abs rel of each frame', 1.0), ('rmse', 'RMSE of each frame, m', 1.0)),
    'normals': (('mean', 'mean angle of each frame, degrees', 1.0),),
}
_STYLE = (
    'body{font-family:sans-serif;margin:2em auto;max-width:1020px;color:#222}'
    'pre{background:#f5f5f5;padding:1em;overflow-x:auto}td,th{padding:2px 12px 2px 0;'
    'text-align:left}img{max-width:100%}figure{margin:8px 0}'
)


def fullest(passes: Sequence[FrameEvaluation]) -> FrameEvaluation:
    """Return the pass with the most measured frames, the first of equals."""
    return max(passes, key=lambda each: len(each.rows))


def report_content(
    about: Mapping[str, Any], passes: Sequence[FrameEvaluation], faults: Sequence[str]
) -> dict[str, Any]:
    """
    Gather all that a report says, in plain JSON types.

    Parameters
    ----------
    about
        What was evaluated and with what.
    passes
        One for each time that the recording was played; the one with the most frames is shown
        in full, of the others the totals.
    faults
        What was wrong with the recording.

    """
    main = fullest(passes)
    labels = main.protocol.label_set if 'segmentation' in main.tasks else None
    return {
        'about': dict(about),
        'protocol': {
            'tasks': list(main.tasks),
            'label_set': labels.name if labels else None,
            'classes': list(labels.classes) if labels else [],
            'depth_range': list(main.protocol.depth_range),
            'crop': main.protocol.crop,
        },
        'faults': list(faults),
        **main.summary(),
        'passes': [
            {
                key: value
                for key, value in each.summary().items()
                if key in ('images', 'measured', 'figures')
            }
            for each in passes
        ],
    }


def write_report(
    folder: Path,
    about: Mapping[str, Any],
    passes: Sequence[FrameEvaluation],
    faults: Sequence[str] = (),
) -> list[Path]:
    """
    Write ``report.json``, ``report.md`` and ``report.html``.

    Parameters
    ----------
    folder
        Where to; made if need be.
    about, passes, faults
        As for `report_content`.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    HydranetError
        If a file cannot be written.

    """
    content = report_content(about, passes, faults)
    texts = (to_json(content), markdown_report(content), html_report(content, fullest(passes)))
    paths = [folder / name for name in REPORT_NAMES]
    for path, text in zip(paths, texts, strict=True):
        with naming_write_faults(path):
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
    return paths


def title_of(content: Mapping[str, Any]) -> str:
    """Return what was evaluated on what."""
    about = content['about']
    return f'{about.get("model") or "recorded predictions"} on {Path(about["bag"]).name}'


def figures_text(content: Mapping[str, Any]) -> str:
    """Return the figures as text for people."""
    evaluation = Evaluation(content['measured'], content['figures'], {}, {})
    return text_report(title_of(content), evaluation)


def account_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences on frames and on what was wrong."""
    yield f'{content["images"]} images, {content["measured"]} frames measured.'
    for what, tally in content['account'].items():
        shown = ', '.join(tally['stamps'])
        more = ' …' if tally['count'] > len(tally['stamps']) else ''
        yield f'{tally["count"]} frames {what} (stamps {shown}{more}).'
    yield from content['faults']
    if len(content['passes']) > 1:
        measured = [each['measured'] for each in content['passes']]
        yield (
            f'{len(measured)} passes with {min(measured)} to {max(measured)} measured frames; '
            'shown is the fullest.'
        )


def markdown_report(content: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    parts = [f'# {title_of(content)}', f'```\n{figures_text(content)}\n```']
    parts.append('\n'.join(f'- {line}' for line in account_lines(content)))
    rows = [f'| {key} | {value} |' for key, value in content['about'].items()]
    parts.append('\n'.join(['| What | Value |', '|---|---|', *rows]))
    return '\n\n'.join(parts) + '\n'


def html_report(content: Mapping[str, Any], frames: FrameEvaluation) -> str:
    """Return the report as one page that needs no other file."""
    title = escape(title_of(content))
    lines = ''.join(f'<li>{escape(line)}</li>' for line in account_lines(content))
    rows = ''.join(
        f'<tr><th>{escape(str(key))}</th><td>{escape(str(value))}</td></tr>'
        for key, value in content['about'].items()
    )
    plots = ''.join(f'<figure>{plot}</figure>' for plot in _plots(content, frames))
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<style>{_STYLE}</style></head><body><h1>{title}</h1>'
        f'<pre>{escape(figures_text(content))}</pre><ul>{lines}</ul>{plots}'
        f'{"".join(_picture_rows(frames))}<h2>What was evaluated</h2><table>{rows}</table>'
        '</body></html>\n'
    )


def _plots(content: Mapping[str, Any], frames: FrameEvaluation) -> Iterator[str]:
    """Draw the curves over time, the classes, the confusions and the depth errors."""
    rows = content['frames']
    first = rows[0]['stamp'] if rows else 0
    times = [(row['stamp'] - first) / NANOSECONDS for row in rows]
    for task in content['figures']:
        for key, label, factor in _CURVES[task]:
            values = [factor * row[task][key] if task in row else float('nan') for row in rows]
            yield svg.line_plot(label, times, values, 'seconds since the first frame')
    labels = frames.protocol.label_set
    if labels is not None and 'confusion' in content:
        classes = content['figures']['segmentation']['classes']
        colors = [f'rgb({r},{g},{b})' for r, g, b in labels.colors.tolist()]
        ious = [row['iou'] for row in classes.values()]
        yield svg.bar_plot('IoU of each class', labels.classes, ious, colors)
        yield svg.confusion_plot(
            'Predicted classes (columns) of each true class (rows), %',
            labels.classes,
            np.array(content['confusion']),
        )
    if 'depth_errors' in content:
        errors = content['depth_errors']
        yield svg.histogram_plot(
            'Depth errors, % of pixels',
            errors['edges'],
            errors['pixels'],
            '(predicted - true) / true; the outermost bars hold all that lies beyond',
        )


def _picture_rows(frames: FrameEvaluation) -> Iterator[str]:
    """Show the chosen frames."""
    for task, ranked in frames.pictures().items():
        yield f'<h2>Frames by {escape(task)}: image, truth, prediction, mistakes</h2>'
        for rank, picture in ranked.items():
            text = f'{rank}: {MEASURES[task].quality_text(picture.quality)}'
            seconds, rest = divmod(picture.stamp, NANOSECONDS)
            data = b64encode(picture.jpeg).decode()
            yield (
                f'<figure><figcaption>{escape(text)}, stamp {seconds}.{rest:09d}</figcaption>'
                f'<img alt="{escape(text)}" src="data:image/jpeg;base64,{data}"></figure>'
            )
