# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The dataset's measured depth as a teacher that is not a network: of surface normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.base import Annotation, Frames, Teacher


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file: nothing."""


class MeasuredDepth(Teacher):
    """Gives the depth that the dataset has."""

    gives_depth = True

    def __init__(self, _settings: Settings) -> None:
        self.identity = {'kind': 'measured'}

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Refuse: an image does not hold its depth."""
        raise HydranetError('Measured depth needs a dataset, not single images.')

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        """Return the measured depth of one image of a dataset."""
        depth = frames.depth(index)
        if depth is None:
            raise HydranetError(
                f'{frames.name(index)} has no measured depth; choose a split whose images have.'
            )
        return Annotation(depth=depth)

    def inputs(self, frames: Frames) -> dict[str, str]:
        """Return how the depth is stored; its files are inputs of the writer."""
        return {'depth_format': frames.depth_format()}


load = MeasuredDepth
