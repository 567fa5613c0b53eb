# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An annotated image, and the interface of a dataset of such images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import Camera
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.tasks import TASKS

RgbImage = NDArray[np.uint8]
"""H×W×3 RGB."""
ANNOTATIONS = tuple(TASKS)
"""Fields of a sample that hold one value per pixel, named after the tasks."""


@dataclass(frozen=True, eq=False)
class Sample:
    """
    An image with its annotations; missing ones are None.

    Raises HydranetError if an annotation does not have the image's size, H×W.
    """

    name: str  # unique in its source: path of the image, or its number in a bag or video
    image: RgbImage
    segmentation: NDArray[np.uint8] | None = None  # H×W class ids, 255 unlabelled
    label_set: str | None = None  # of the class ids; None if unknown
    depth: NDArray[np.float32] | None = None  # H×W metres along the optical axis, NaN unknown
    # H×W×3 unit vectors x right, y down, z forward; NaN unknown
    normals: NDArray[np.float32] | None = None
    camera: Camera | None = None
    pose: NDArray[np.float64] | None = None  # 4×4, from the camera's optical frame to the world
    time: float | None = None  # seconds since the source's first sample

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        for task in ANNOTATIONS:
            annotation = getattr(self, task)
            if annotation is not None and annotation.shape[:2] != size:
                height, width = annotation.shape[:2]
                raise HydranetError(
                    f'The {task} of {self.name} is {width}x{height} and its image is '
                    f'{size[1]}x{size[0]}; make them the same size.'
                )

    @property
    def fx(self) -> float | None:
        """Horizontal focal length in pixels, None if unknown."""
        return None if self.camera is None else self.camera.focal_length


class Dataset(Protocol):
    """An ordered collection of samples."""

    @property
    def name(self) -> str: ...

    @property
    def label_set(self) -> str | None:
        """Name of the segmentation's label set, or None."""
        ...

    @property
    def about(self) -> Mapping[str, str]:
        """Licence, and origin of each annotation, for the provenance of trained models."""
        ...

    def __len__(self) -> int: ...

    def load(self, index: int) -> Sample:
        """
        Read one sample.

        Raises HydranetError, naming the file, if a file is missing, damaged or unsuitable.
        """
        ...

    def tasks(self, index: int) -> frozenset[str]:
        """Return which of `ANNOTATIONS` a sample has, without reading it."""
        ...
