# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
import hashlib
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import LabelSet


@dataclass(frozen=True)
class Annotation:
    """A teacher's annotation of one image, at the image's size."""

    scores: NDArray[np.float32] | None = None
    """
    Shape (height, width, classes): score of each class, 0 to 1, with a sum of at most 1. None if
    the teacher only gives depth.
    """
    depth: NDArray[np.float32] | None = None
    """
    Shape (height, width): metres along the optical axis, NaN unknown. None if the teacher only
    gives classes.
    """
    about: Mapping[str, Any] = field(default_factory=dict)
    """Details for the provenance, in JSON types."""


class Frames(Protocol):
    """The images of a dataset, in order; for a video, in the order of its frames."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def name(self, index: int) -> str:
        """Return the name of an image, for messages."""
        ...

    def rgb(self, index: int) -> NDArray[np.uint8]:
        """Return an image, uint8, shape (height, width, 3)."""
        ...

    def fx(self, index: int) -> float | None:
        """Return an image's focal length in pixels, None if unknown."""
        ...

    def depth(self, index: int) -> NDArray[np.float32] | None:
        """Return an image's measured depth in metres, NaN unknown; None if it has none."""
        ...

    def depth_format(self) -> str:
        """Return a text that identifies the format in which measured depth is stored."""
        ...

    def digest(self) -> str:
        """Return a hash of all images in order, and of their focal lengths."""
        ...


class Teacher(ABC):
    """Annotates images for a student to learn from; most teachers are networks."""

    labels: LabelSet | None = None  # of the scores; None if the teacher gives no scores
    gives_depth: bool = False
    identity: dict[str, Any]
    """
    Kind of teacher, SHA-256 of its files, all settings that change its output; in JSON types.
    Teachers of equal identity give equal annotations.
    """
    about: Mapping[str, str] = MappingProxyType({})  # source and licence

    @abstractmethod
    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """
        Annotate one uint8 image of shape (height, width, 3).

        ``fx`` is the focal length of the image in pixels, if known; many teachers ignore it.
        """

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        """Annotate one image of a dataset; a teacher may use the other images too."""
        return self.annotate(frames.rgb(index), frames.fx(index))

    def inputs(self, frames: Frames) -> dict[str, str]:
        """Return hashes, by name, of all inputs other than the annotated image."""
        return {}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror}.') from error
