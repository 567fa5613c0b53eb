# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One annotated image, whatever annotation it has, and what a dataset of such is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError

RgbImage = NDArray[np.uint8]
"""H×W×3, R G B."""


@dataclass(frozen=True, eq=False)
class Sample:
    """
    An image and those of its annotations that exist.

    An annotation that does not exist is None: it is missing, which is not the same as zeros.

    Attributes
    ----------
    name
        What to call it to the user: the path of its image.
    image
        H x W x 3, uint8, RGB.
    segmentation
        H x W, uint8, ids of ``label_set``, 255 where unlabelled.
    label_set
        Name of the label set that the ids are of.
    depth
        H x W, float32, metres along the optical axis, NaN where unknown.
    normals
        H x W x 3, float32, unit vectors x right, y down, z forward; NaN where unknown.
    fx
        Horizontal focal length in pixels, of the image as it is here.

    """

    name: str
    image: NDArray[np.uint8]
    segmentation: NDArray[np.uint8] | None = None
    label_set: str | None = None
    depth: NDArray[np.float32] | None = None
    normals: NDArray[np.float32] | None = None
    fx: float | None = None

    def __post_init__(self) -> None:
        """
        Check that annotations have the image's size.

        Raises
        ------
        HydranetError
            If one has not.

        """
        size = self.image.shape[:2]
        for task in ('segmentation', 'depth', 'normals'):
            annotation = getattr(self, task)
            if annotation is not None and annotation.shape[:2] != size:
                height, width = annotation.shape[:2]
                raise HydranetError(
                    f'The {task} of {self.name} is {width}x{height} and its image is '
                    f'{size[1]}x{size[0]}; make them the same size.'
                )


class Dataset(Protocol):
    """An ordered collection of samples."""

    @property
    def name(self) -> str:
        """Return what to call it."""
        ...

    @property
    def label_set(self) -> str | None:
        """Return the name of the label set of its segmentation, None if it has none."""
        ...

    @property
    def about(self) -> Mapping[str, str]:
        """Return licence and origin of each annotation, for what is trained on it."""
        ...

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def load(self, index: int) -> Sample:
        """
        Read one sample.

        Raises
        ------
        HydranetError
            If a file is missing, unreadable, or not what it should be; it is named.

        """
        ...

    def tasks(self, index: int) -> frozenset[str]:
        """Return the names of the tasks that a sample is annotated for, without reading it."""
        ...
