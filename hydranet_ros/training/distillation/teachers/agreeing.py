# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Several teachers combined into one, which is more accurate than each of them.

Class scores are averaged, so the best score is low where teachers disagree. Depth is the geometric
mean where they agree, and unknown elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.base import Annotation, Frames, Teacher


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file."""

    members: tuple[dict[str, Any], ...]
    """Each teacher's own settings, and ``scale``, a factor on its metres."""
    agreement: float | None = None
    """
    Depth is kept where the largest depth of the members is at most ``1 + agreement`` times the
    smallest. None if the members give classes.
    """


class AgreeingTeachers(Teacher):
    """At least two teachers, which all give depth or all give the same classes."""

    def __init__(self, settings: Settings) -> None:
        if len(settings.members) < 2:
            raise HydranetError('Agreeing teachers need at least two members; add one.')
        self._agreement = settings.agreement
        self.gives_depth = settings.agreement is not None
        self._members = [_member(content, self.gives_depth) for content in settings.members]
        if not self.gives_depth:
            first, *others = (teacher for teacher, _ in self._members)
            self.labels = first.labels
            if any(other.labels != first.labels for other in others):
                raise HydranetError(
                    'The members of agreeing teachers have different label sets; use one for all.'
                )
        self.identity = {
            'kind': 'agreeing',
            'members': [{**teacher.identity, 'scale': scale} for teacher, scale in self._members],
            'agreement': settings.agreement,
        }

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Annotate one image (see ``Teacher.annotate``)."""
        return self._agreed(teacher.annotate(rgb, fx) for teacher, _ in self._members)

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        return self._agreed(teacher.annotate_frame(frames, index) for teacher, _ in self._members)

    def inputs(self, frames: Frames) -> dict[str, str]:
        inputs: dict[str, str] = {}
        for teacher, _ in self._members:
            inputs |= teacher.inputs(frames)
        return inputs

    def _agreed(self, annotations: Iterable[Annotation]) -> Annotation:
        if self._agreement is None:
            scores = [each.scores for each in annotations if each.scores is not None]
            return Annotation(scores=sum(scores[1:], scores[0]) / np.float32(len(scores)))
        depths = []
        for annotation, (_, scale) in zip(annotations, self._members, strict=True):
            assert annotation.depth is not None
            depths.append(annotation.depth * np.float32(scale))
        mean = np.exp(sum(np.log(depth) for depth in depths) / len(depths))
        # If a member has no depth (NaN), the maximum is NaN too, which counts as disagreement.
        largest, smallest = reduce(np.maximum, depths), reduce(np.minimum, depths)
        mean[~(largest <= (1 + self._agreement) * smallest)] = np.nan
        return Annotation(depth=mean.astype(np.float32))


def _member(content: Mapping[str, Any], depth: bool) -> tuple[Teacher, float]:
    """Load a member, and return it with its scale."""
    from hydranet_ros.training.distillation.teachers import teacher_of

    settings = dict(content)
    scale = float(settings.pop('scale', 1.0))
    teacher = teacher_of(settings, 'members')
    if not (teacher.gives_depth if depth else teacher.labels):
        advice = 'remove it' if depth else 'set `agreement` for teachers of depth, or remove it'
        raise HydranetError(
            f'A member of kind {content["kind"]} gives no {"depth" if depth else "classes"}; '
            f'{advice} from the members.'
        )
    return teacher, scale


load = AgreeingTeachers
