# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a teacher is: something that annotates an image, and says exactly what it was."""

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
    """
    A teacher's opinion of one image, at the image's size.

    Attributes
    ----------
    scores
        float32, shape (height, width, classes): share of belief in each class, 0 to 1, summing
        to 1 at most; None from a teacher of depth alone.
    depth
        float32, shape (height, width): metres along the optical axis, NaN where the teacher has
        no opinion; None from a teacher of classes alone.
    about
        What else to tell of it in its provenance, in plain JSON types.

    """

    scores: NDArray[np.float32] | None = None
    depth: NDArray[np.float32] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


class Frames(Protocol):
    """The images of a dataset, in its order: of a video, frame after frame."""

    def __len__(self) -> int:
        """Return their number."""
        ...

    def name(self, index: int) -> str:
        """Return what to call one in messages."""
        ...

    def rgb(self, index: int) -> NDArray[np.uint8]:
        """Return one, uint8, shape (height, width, 3)."""
        ...

    def fx(self, index: int) -> float | None:
        """Return its focal length in pixels, None if unknown."""
        ...

    def digest(self) -> str:
        """Return a hash of all images in their order, and their focal lengths."""
        ...


class Teacher(ABC):
    """
    What annotates images for a network to learn from: another network, mostly.

    Attributes
    ----------
    labels
        The label set of its scores, or None if it gives none.
    gives_depth
        Whether it gives depth.
    identity
        What it is, in plain JSON types: its kind, the SHA-256 of its files and every setting
        that changes its output. Equal identities give equal annotations.
    about
        Where it comes from and under which licence, for people.

    """

    labels: LabelSet | None = None
    gives_depth: bool = False
    identity: dict[str, Any]
    about: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """
        Annotate one image.

        Parameters
        ----------
        rgb
            uint8, shape (height, width, 3).
        fx
            Focal length of the image in pixels, where it is known; teachers whose depth does
            not depend on it leave it unused.

        """

    def annotate_frame(self, frames: Frames, index: int) -> Annotation:
        """
        Annotate one image among those of its dataset; by itself, unless a teacher looks beside.

        Parameters
        ----------
        frames
            All images.
        index
            Which of them.

        """
        return self.annotate(frames.rgb(index), frames.fx(index))

    def inputs(self, frames: Frames) -> dict[str, str]:
        """Return, by name, hashes of what annotations depend on beside their own image."""
        return {}


def file_sha256(path: Path) -> str:
    """
    Return the SHA-256 of a file in hexadecimal.

    Raises
    ------
    HydranetError
        If it cannot be read.

    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror}.') from error
