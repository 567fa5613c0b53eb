# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Several teachers of depth that must agree.

Where they do, their geometric mean is better than any of them; where they do not, nobody knows.
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
    """
    What the file of such teachers says.

    Attributes
    ----------
    members
        Of each teacher what its own file would say, and ``scale``, a factor on its metres.
    agreement
        Depth is kept where the largest exceeds the smallest by at most this share of it.

    """

    members: tuple[dict[str, Any], ...]
    agreement: float


class AgreeingTeachers(Teacher):
    """
    Teachers of depth that must agree.

    Raises
    ------
    HydranetError
        If one cannot be loaded or gives no depth, or there are fewer than two.

    """

    gives_depth = True

    def __init__(self, settings: Settings) -> None:
        if len(settings.members) < 2:
            raise HydranetError('Teachers that must agree are two at least; name them in members.')
        self._agreement = settings.agreement
        self._members = [_member(content) for content in settings.members]
        self.identity = {
            'kind': 'agreeing',
            'members': [{**teacher.identity, 'scale': scale} for teacher, scale in self._members],
            'agreement': settings.agreement,
        }

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Annotate one image (see ``Teacher.annotate``)."""
        return self._agreed(teacher.annotate(rgb, fx) for teacher, _ in self._members)

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        """Annotate one image among others (see ``Teacher.annotate_frame``)."""
        return self._agreed(teacher.annotate_frame(frames, index) for teacher, _ in self._members)

    def inputs(self, frames: Frames) -> dict[str, str]:
        """Return what the members depend on (see ``Teacher.inputs``)."""
        inputs: dict[str, str] = {}
        for teacher, _ in self._members:
            inputs |= teacher.inputs(frames)
        return inputs

    def _agreed(self, annotations: Iterable[Annotation]) -> Annotation:
        depths = []
        for annotation, (_, scale) in zip(annotations, self._members, strict=True):
            assert annotation.depth is not None
            depths.append(annotation.depth * np.float32(scale))
        mean = np.exp(sum(np.log(depth) for depth in depths) / len(depths))
        # NaN, an opinion that a member has not, goes through and compares as no agreement.
        largest, smallest = reduce(np.maximum, depths), reduce(np.minimum, depths)
        mean[~(largest <= (1 + self._agreement) * smallest)] = np.nan
        return Annotation(depth=mean.astype(np.float32))


def _member(content: Mapping[str, Any]) -> tuple[Teacher, float]:
    """Load a member, and return it with its scale."""
    from hydranet_ros.training.distillation.teachers import teacher_of

    said = dict(content)
    scale = float(said.pop('scale', 1.0))
    teacher = teacher_of(said, 'members')
    if not teacher.gives_depth:
        raise HydranetError(f'A teacher of kind {content["kind"]} gives no depth to agree on.')
    return teacher, scale


load = AgreeingTeachers
