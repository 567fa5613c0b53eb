# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Turn measured or predicted depth into files of surface normals; measure the normals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.normals import DepthError, normals_from_depth
from hydranet_ros.data.datasets import FileDataset, Record
from hydranet_ros.data.image_files import NORMALS_ZERO, read_normals
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.accumulator import Accumulator
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.pictures.render import colorize_normals
from hydranet_ros.training.distillation.teachers.base import Annotation, file_sha256, Teacher


@dataclass(frozen=True)
class NormalsTarget:
    """Normals to write, as 8-bit RGB PNG."""

    output: str  # folder
    error: DepthError = field(default_factory=DepthError)
    """Error of the depth that the normals are made from."""
    window: float = 4.0  # half-width of the largest window, in standard deviations of the depth
    every_image: bool = False
    """Whether images that have normals in the dataset are annotated too."""


class NormalsWriter:
    """Turns depth into files of normals."""

    task = 'normals'
    suffix = '.png'

    def __init__(self, target: NormalsTarget, teacher: Teacher) -> None:
        if not teacher.gives_depth:
            raise HydranetError(
                'Normals are made from depth, which the teacher does not give; choose the teacher '
                '`measured_depth`, or remove the section `normals`.'
            )
        if not (target.error.step >= 0 and target.error.noise >= 0 and target.window > 0):
            raise HydranetError(
                'Normals need `error.step` and `error.noise` of 0 or more, and a `window` above 0.'
            )
        self.target = target

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the settings, besides the teacher, that determine the annotations."""
        return {'error': asdict(self.target.error), 'window': self.target.window}

    def existing(self, record: Record) -> Path | None:
        """Return the dataset's own normals of an image."""
        return record.normals

    def inputs(self, record: Record) -> dict[str, str]:
        """Return the inputs of an annotation by name: the SHA-256 of a file, or a value."""
        inputs = {'image': file_sha256(record.image), 'camera': str(record.intrinsics)}
        if record.depth is not None:
            inputs['depth'] = file_sha256(record.depth)
        return inputs

    def encode(
        self, annotation: Annotation, record: Record, dataset: FileDataset
    ) -> tuple[bytes, dict[str, Any]]:
        """Return the content of the file, and details for its provenance."""
        normals = self.normals(annotation, record)
        known = np.isfinite(normals[..., 0])
        stored = np.full(normals.shape, NORMALS_ZERO, np.uint8)
        stored[known] = colorize_normals(normals[known])
        encoded, buffer = cv2.imencode(self.suffix, cv2.cvtColor(stored, cv2.COLOR_RGB2BGR))
        assert encoded
        return buffer.tobytes(), {'known': float(known.mean())}

    def normals(self, annotation: Annotation, record: Record) -> NDArray[np.float32]:
        """Return unit vectors like `normals_from_depth`; needs the camera of the image."""
        depth = annotation.depth
        assert depth is not None
        if record.intrinsics is None:
            raise HydranetError(
                f'{record.image} has no camera, which normals need; add `intrinsics` to its '
                'dataset file.'
            )
        height, width = depth.shape
        matrix = record.intrinsics.camera(width, height).matrix
        return normals_from_depth(depth, matrix, self.target.error, self.target.window)

    def measure(
        self, annotations: Iterator[tuple[Record, Annotation]], dataset: FileDataset
    ) -> dict[str, Any]:
        """
        Measure against the dataset's normals; returns an empty dict if there are none.

        Returns figures like `Accumulator.figures`, over the pixels where normals are found;
        ``known`` is the share of these pixels among those with ground truth.
        """
        measured = Accumulator(['normals'], EvaluationProtocol(None, origins=dataset.about))
        found = pixels = 0
        for record, annotation in annotations:
            if record.normals is not None and dataset.normals_format is not None:
                truth = read_normals(record.normals, dataset.normals_format)
                normals = self.normals(annotation, record)
                pixels += int(np.isfinite(truth[..., 0]).sum())
                truth[np.isnan(normals)] = np.nan
                found += int(np.isfinite(truth[..., 0]).sum())
                measured.add('normals', normals, truth)
        figures = measured.figures().get('normals', {})
        return {**figures, 'known': found / pixels} if figures else {}
