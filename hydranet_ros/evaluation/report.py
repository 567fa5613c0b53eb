# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: text for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import json
import math
from typing import Any

from hydranet_ros.evaluation.dataset_evaluation import Evaluation
from hydranet_ros.evaluation.figures import figures_of


def text_report(
    title: str,
    images: int,
    figures: Mapping[str, Mapping[str, Any]],
    milliseconds: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Return the fields of an `Evaluation` as text; the title names the model and the data."""
    parts = [f'{title}: {images} images']
    for task, values in figures.items():
        parts.append('\n'.join(_SECTIONS[task](values)))
    if milliseconds and 'total' in milliseconds:
        total = milliseconds['total']
        forward = milliseconds.get('forward', total)
        parts.append(
            f'time: forward {forward["median"]:.1f} ms (p95 {forward["p95"]:.1f}), with copies '
            f'{total["median"]:.1f} ms (p95 {total["p95"]:.1f})'
        )
    return '\n\n'.join(parts)


def json_report(about: Mapping[str, Any], evaluation: Evaluation) -> str:
    """Return an evaluation as JSON; figures of absent classes become null."""
    content = {
        **about,
        'images': evaluation.images,
        'focal_length_assumed': evaluation.assumed,
        'figures': evaluation.figures,
        'milliseconds': evaluation.milliseconds,
        'ranking': {
            task: [{'name': score.name, 'quality': score.quality} for score in scores]
            for task, scores in evaluation.ranking.items()
        },
    }
    return to_json(content)


def _segmentation_section(figures: Mapping[str, Any]) -> list[str]:
    width = max(len(name) for name in figures['classes'])
    lines = [
        f'segmentation ({figures["label_set"]}, truth: {figures["truth"]}): '
        f'mIoU {_percent(figures["mean_iou"])} %, '
        f'pixel accuracy {_percent(figures["pixel_accuracy"])} %, '
        f'mean accuracy {_percent(figures["mean_accuracy"])} %',
        f'  {"class":{width}}  {"IoU %":>7}  {"found %":>7}  {"pixels %":>8}',
    ]
    for name, row in figures['classes'].items():
        lines.append(
            f'  {name:{width}}  {_percent(row["iou"]):>7}  {_percent(row["accuracy"]):>7}  '
            f'{_percent(row["share"]):>8}'
        )
    return lines


def _depth_section(figures: Mapping[str, Any]) -> list[str]:
    minimum, maximum = figures['range']
    crop = f'{figures["crop"]} crop' if figures['crop'] else 'no crop'
    columns = figures_of('depth')
    headings = [f'{column.title} {column.unit}'.rstrip() for column in columns]
    lines = [
        f'depth ({minimum:g}-{maximum:g} m, {crop}, no median scaling, '
        f'truth: {figures["truth"]}): {figures["images"]} images, {figures["pixels"]} pixels',
        f'  {"":14}' + ''.join(f'{heading:>10}' for heading in headings),
    ]
    rows = (('all pixels', figures), ('mean of images', figures['mean_of_images']))
    for title, values in rows:
        row = ''.join(f'{values[column.name]:10.3f}' for column in columns)
        lines.append(f'  {title:14}{row}')
    return lines


def _normals_section(figures: Mapping[str, Any]) -> list[str]:
    return [
        f'normals (truth: {figures["truth"]}): mean {figures["mean"]:.2f} deg, '
        f'median {figures["median"]:.2f} deg, '
        f'under 11.25 deg {_percent(figures["below_11_25"])} %, '
        f'22.5 deg {_percent(figures["below_22_5"])} %, 30 deg {_percent(figures["below_30"])} %'
    ]


_SECTIONS: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    'segmentation': _segmentation_section,
    'depth': _depth_section,
    'normals': _normals_section,
}


def _percent(share: float) -> str:
    return 'absent' if math.isnan(share) else f'{100 * share:.2f}'


def to_json(content: Any) -> str:
    """Return plain types as JSON; numbers that are not finite become null."""
    return json.dumps(_without_nan(content), indent=1) + '\n'


def _without_nan(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
