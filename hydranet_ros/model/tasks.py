# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The table of tasks: one entry per kind of dense output.

An entry defines how the deployed graph turns the raw output into fields of a prediction. Losses,
metrics, pictures and message readers are in tables of other subpackages, with the same task names
as keys. This module imports torch only when it post-processes tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

CONFIDENCE_LEVELS = 255
"""The uint8 value that stands for a confidence of 1."""


@dataclass(frozen=True)
class PostProcessing:
    """Options of the post-processing."""

    depth_range: tuple[float, float]
    """Metres at the canonical focal length; depth is clipped to this range."""


@dataclass(frozen=True)
class Field:
    """One array of a prediction."""

    name: str  # field of Prediction
    dtype: str  # NumPy's name of the type
    channels: int = 1  # 1 for H x W, else H x W x channels
    scaled_by_focal: bool = False  # whether it is multiplied by fx / canonical focal length


@dataclass(frozen=True)
class Task:
    """One kind of dense output."""

    name: str  # in HydraNet.tasks, bundles and recipes
    fields: tuple[Field, ...]  # all but the first are computed only on request
    fixed_channels: int | None  # of the raw output; None if given by the label sets
    post_process: Callable[[Any, PostProcessing, frozenset[str]], dict[str, Any]] = field(
        repr=False
    )
    """
    ``(raw, options, wanted) -> {field: tensor}``: maps the raw output, N x C x H x W at full size,
    to the wanted fields, N x H x W or N x H x W x C.
    """


def _segmentation(logits: Any, _options: PostProcessing, wanted: frozenset[str]) -> dict[str, Any]:
    import torch

    outputs = {}
    if 'confidence' in wanted:
        # Softmax probability of the best class only.
        best, labels = logits.max(dim=1)
        probability = (best - torch.logsumexp(logits, dim=1)).exp()
        outputs['confidence'] = (probability * CONFIDENCE_LEVELS).round().to(torch.uint8)
    else:
        labels = logits.argmax(dim=1)
    outputs['labels'] = labels.to(torch.uint8)
    return outputs


def _depth(raw: Any, options: PostProcessing, _wanted: frozenset[str]) -> dict[str, Any]:
    import torch

    # The published models were trained with abs() of the output: the sign has no meaning.
    minimum, maximum = options.depth_range
    return {'depth': raw[:, 0].abs().clamp(minimum, maximum).to(torch.float32)}


def _normals(raw: Any, _options: PostProcessing, _wanted: frozenset[str]) -> dict[str, Any]:
    import torch

    unit = torch.nn.functional.normalize(raw.to(torch.float32), dim=1)
    return {'normals': unit.permute(0, 2, 3, 1)}


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            'segmentation',
            (Field('labels', 'uint8'), Field('confidence', 'uint8')),
            None,
            _segmentation,
        ),
        Task('depth', (Field('depth', 'float32', scaled_by_focal=True),), 1, _depth),
        Task('normals', (Field('normals', 'float32', channels=3),), 3, _normals),
    )
}


def available_fields(tasks: Mapping[str, int]) -> tuple[Field, ...]:
    """Return every field that a network with these tasks can predict, in the table's order."""
    return tuple(field for name, task in TASKS.items() if name in tasks for field in task.fields)


def default_fields(tasks: Mapping[str, int]) -> tuple[str, ...]:
    """Return the names of the fields computed by default: the first of each task."""
    return tuple(task.fields[0].name for name, task in TASKS.items() if name in tasks)
