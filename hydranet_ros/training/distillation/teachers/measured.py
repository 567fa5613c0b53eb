# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The measured depth of a dataset as a teacher, which is used to write surface normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.base import Annotation, Frames, Teacher


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file, which has no settings."""


class MeasuredDepth(Teacher):
    """Gives the measured depth of the dataset."""

    gives_depth = True

    def __init__(self, _settings: Settings) -> None:
        self.identity = {'kind': 'measured'}

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Raise HydranetError, since an image does not contain its depth."""
        raise HydranetError('Measured depth needs a dataset, not single images.')

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        """Return the measured depth of one image of a dataset."""
        depth = frames.depth(index)
        if depth is None:
            raise HydranetError(
                f'{frames.name(index)} has no measured depth; choose a split with depth.'
            )
        return Annotation(depth=depth)

    def inputs(self, frames: Frames) -> dict[str, str]:
        """Return the format of the depth; the writer adds the hashes of the depth files."""
        return {'depth_format': frames.depth_format()}


load = MeasuredDepth
