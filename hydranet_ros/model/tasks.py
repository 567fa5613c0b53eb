# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
What a task is: one entry of one table for each kind of dense output.

Code outside an entry walks over tasks and does not ask which one it has. An entry holds what the
deployed graph must do to the raw output, which fields of a prediction come of it, and what is
published. The training half of an entry (loss, metric, augmentation) stands in ``training`` and
``evaluation`` under the same task name. torch is not imported here: the post-processing works on
the tensors that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

CONFIDENCE_LEVELS = 255
"""A confidence of 1 as it is stored in uint8."""


@dataclass(frozen=True)
class PostProcessing:
    """
    What a task's post-processing may depend on.

    Attributes
    ----------
    depth_range
        Smallest and largest depth, in metres at the canonical focal length, that the network
        may give.

    """

    depth_range: tuple[float, float]


@dataclass(frozen=True)
class Field:
    """
    One array of a prediction that a task yields.

    Attributes
    ----------
    name
        Field of ``Prediction``.
    dtype
        numpy's name of its type.
    channels
        1 for H x W, else H x W x channels.
    scaled_by_focal
        Whether it is a length that is multiplied by fx / canonical focal length.

    """

    name: str
    dtype: str
    channels: int = 1
    scaled_by_focal: bool = False


@dataclass(frozen=True)
class Task:
    """
    One kind of dense output.

    Attributes
    ----------
    name
        Name in ``HydraNet.tasks``, in bundles and recipes.
    fields
        What it yields; those behind the first are computed on request.
    fixed_channels
        Channels of the raw output, or None where the label sets decide.
    post_process
        ``(raw, options, wanted) -> {field: tensor}``: maps the raw output, N x C x H x W at
        full size, to the wanted fields, N x H x W or N x H x W x C.

    """

    name: str
    fields: tuple[Field, ...]
    fixed_channels: int | None
    post_process: Callable[[Any, PostProcessing, frozenset[str]], dict[str, Any]] = field(
        repr=False
    )


def _segmentation(logits: Any, _options: PostProcessing, wanted: frozenset[str]) -> dict[str, Any]:
    import torch

    outputs = {}
    if 'confidence' in wanted:
        # Softmax probability of the winning class, without materialising the others.
        best, labels = logits.max(dim=1)
        probability = (best - torch.logsumexp(logits, dim=1)).exp()
        outputs['confidence'] = (probability * CONFIDENCE_LEVELS).round().to(torch.uint8)
    else:
        labels = logits.argmax(dim=1)
    outputs['labels'] = labels.to(torch.uint8)
    return outputs


def _depth(raw: Any, options: PostProcessing, _wanted: frozenset[str]) -> dict[str, Any]:
    import torch

    # The published models were trained through abs(): a negative output means its size.
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
    """Return every field that a network of these tasks can give, in the table's order."""
    return tuple(field for name, task in TASKS.items() if name in tasks for field in task.fields)


def default_fields(tasks: Mapping[str, int]) -> tuple[str, ...]:
    """Return the names of the fields computed where none are asked for: the first of each task."""
    return tuple(task.fields[0].name for name, task in TASKS.items() if name in tasks)
