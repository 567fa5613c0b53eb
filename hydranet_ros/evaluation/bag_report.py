# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a recording or of a running node: JSON, Markdown and, if possible, HTML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydranet_ros.errors import naming_write_faults
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation
from hydranet_ros.evaluation.report import text_report, to_json

REPORT_NAMES = ('report.json', 'report.md', 'report.html')


def fullest(passes: Sequence[FrameEvaluation]) -> FrameEvaluation:
    """Return the pass with the most measured frames; of several such passes, the first."""
    return max(passes, key=lambda each: len(each.rows))


def report_content(
    about: Mapping[str, Any], passes: Sequence[FrameEvaluation], faults: Sequence[str]
) -> dict[str, Any]:
    """
    Return the whole report in plain JSON types.

    ``about`` names the model, the bag and the software; ``faults`` are sentences on what is wrong
    with the bag. A looping replay has several ``passes``: the one with the most frames is reported
    in full, the others by their totals.
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
    Write ``report.json``, ``report.md`` and, if matplotlib and jinja2 exist, ``report.html``.

    The arguments are those of `report_content`. Returns the files that were written.
    """
    content = report_content(about, passes, faults)
    texts = [to_json(content), markdown_report(content)]
    page = _html(content, fullest(passes))
    if page is not None:
        texts.append(page)
    paths = [folder / name for name in REPORT_NAMES]
    for path, text in zip(paths, texts, strict=False):
        with naming_write_faults(path):
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
    for path in paths[len(texts) :]:
        path.unlink(missing_ok=True)  # left by an earlier evaluation
    return paths[: len(texts)]


def report_place(folder: Path) -> str:
    """Return the path of a written report, and how to get HTML if it is missing."""
    *_, markdown, page = (folder / name for name in REPORT_NAMES)
    if page.exists():
        return str(page)
    return f'{markdown} (for report.html: pip install matplotlib jinja2)'


def _html(content: Mapping[str, Any], frames: FrameEvaluation) -> str | None:
    """Return the HTML page, None if matplotlib or jinja2 is missing."""
    try:
        from hydranet_ros.evaluation.html_report import html_report
    except ImportError:
        return None
    title, figures = title_of(content), figures_text(content)
    return html_report(title, figures, account_lines(content), content, frames)


def title_of(content: Mapping[str, Any]) -> str:
    """Return ``MODEL on BAG``."""
    about = content['about']
    return f'{about.get("model") or "recorded predictions"} on {Path(about["bag"]).name}'


def figures_text(content: Mapping[str, Any]) -> str:
    """Return the figures (metrics) as text."""
    return text_report(title_of(content), content['measured'], content['figures'])


def account_lines(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences on the numbers of frames, and on faults."""
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
            'the one with the most is shown.'
        )


def markdown_report(content: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    parts = [f'# {title_of(content)}', f'```\n{figures_text(content)}\n```']
    parts.append('\n'.join(f'- {line}' for line in account_lines(content)))
    rows = [f'| {key} | {value} |' for key, value in content['about'].items()]
    parts.append('\n'.join(['| What | Value |', '|---|---|', *rows]))
    return '\n\n'.join(parts) + '\n'
