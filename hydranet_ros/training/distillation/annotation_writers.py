# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Write the output of teachers to annotation files, or measure it; one class per task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.ground import Ground
from hydranet_ros.data.datasets import FileDataset, Record
from hydranet_ros.data.image_files import read_depth, read_segmentation
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.accumulator import Accumulator
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.training.distillation.mappings import LabelMapping, load_mapping
from hydranet_ros.training.distillation.normals_writer import NormalsWriter
from hydranet_ros.training.distillation.teachers.base import Annotation, file_sha256, Teacher


@dataclass(frozen=True)
class SegmentationTarget:
    """Labels to write, as uint8 PNG files of class ids."""

    output: str  # folder
    mapping: str | None = None
    """Label mapping from the teacher's to the student's classes; None keeps the teacher's."""
    confidence: float = 0.0  # labels with a lower score, 0 to 1, become unlabelled
    every_image: bool = False
    """
    Whether images that have labels in the dataset are annotated too; the labels of the dataset are
    not changed.
    """


@dataclass(frozen=True)
class DepthTarget:
    """Depth to write."""

    output: str  # folder
    scale: float = 1.0  # factor on the teacher's metres; 1 if it was trained on this camera
    minimum: float = 0.0  # depth outside the range, in metres, becomes unknown
    maximum: float = 80.0
    format: str = 'png'  # png: 16 bits, 0 unknown; tiff: float32 metres, NaN unknown
    units_per_metre: float = 256.0  # in a PNG: 1000 reaches 65.5 m, 256 reaches 255 m
    invalid_classes: tuple[str, ...] = ()
    """Classes of the dataset's labels that have no depth, such as the sky."""
    ground: Ground | None = None
    """Classes that get the depth of a plane instead of the teacher's depth."""
    every_image: bool = False
    """Whether images that have depth in the dataset are annotated too."""


class SegmentationWriter:
    """Turns a teacher's scores into label files."""

    task = 'segmentation'
    suffix = '.png'

    def __init__(self, target: SegmentationTarget, teacher: Teacher) -> None:
        if teacher.labels is None:
            raise HydranetError('The teacher gives no classes; remove the section `segmentation`.')
        self.target = target
        mapping = load_mapping(target.mapping) if target.mapping else None
        self.mapping = mapping or LabelMapping.identity(teacher.labels)
        if self.mapping.source.classes != teacher.labels.classes:
            raise HydranetError(
                f'The mapping {target.mapping} translates {self.mapping.source.name} but the '
                f'teacher gives {teacher.labels.name}; choose a mapping from the latter.'
            )

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the settings, besides the teacher, that determine the annotations."""
        return {'mapping': self.mapping.to_dict(), 'confidence': self.target.confidence}

    def existing(self, record: Record) -> Path | None:
        """Return the dataset's own labels of an image."""
        return record.segmentation

    def inputs(self, record: Record) -> dict[str, str]:
        """Return the SHA-256 of the input files of an annotation, by name."""
        return {'image': file_sha256(record.image)}

    def encode(
        self, annotation: Annotation, record: Record, dataset: FileDataset
    ) -> tuple[bytes, dict[str, Any]]:
        """Return the content of the file, and details for its provenance."""
        labels, confidence = self.labels(annotation)
        about = {
            'labelled': float((labels != self.mapping.target.ignore_id).mean()),
            'mean_confidence': float(confidence.mean()),
        }
        return _encode('.png', labels), about

    def labels(self, annotation: Annotation) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the labels and their confidence."""
        assert annotation.scores is not None
        return self.mapping.translate(annotation.scores, self.target.confidence)

    def measure(
        self, annotations: Iterator[tuple[Record, Annotation]], dataset: FileDataset
    ) -> dict[str, Any]:
        """
        Measure the teacher against the dataset's labels; returns an empty dict if there are none.

        Returns figures like `Accumulator.figures`. Raises HydranetError if the labels have another
        label set.
        """
        student = self.mapping.target
        form = dataset.segmentation_format
        own = load_label_set(form.label_set) if form and form.label_set else None
        if form is None or own is None or own.classes != student.classes:
            raise HydranetError(
                f'Dataset {dataset.name} has labels of {own.name if own else "nothing"}; the '
                f'teacher can only be measured on labels of {student.name}.'
            )
        measured = Accumulator(
            ['segmentation'], EvaluationProtocol(student, origins=dataset.about)
        )
        for record, annotation in annotations:
            if record.segmentation is not None:
                truth = read_segmentation(record.segmentation, form)
                measured.add('segmentation', self.labels(annotation)[0], truth)
        return measured.figures().get('segmentation', {})


class DepthWriter:
    """Turns a teacher's metres into depth files."""

    task = 'depth'

    def __init__(self, target: DepthTarget, teacher: Teacher) -> None:
        if not teacher.gives_depth:
            raise HydranetError('The teacher gives no depth; remove the section `depth`.')
        if target.format not in ('png', 'tiff'):
            raise HydranetError(f'Depth is written as png or tiff, not as {target.format!r}.')
        limit = np.iinfo(np.uint16).max / target.units_per_metre
        if target.format == 'png' and target.maximum > limit:
            raise HydranetError(
                f'16 bits of 1/{target.units_per_metre:g} m cannot hold the maximum of '
                f'{target.maximum:g} m; reduce `units_per_metre`.'
            )
        self.target = target
        self.suffix = f'.{target.format}'

    @property
    def recipe(self) -> dict[str, Any]:
        """Return the settings, besides the teacher, that determine the annotations."""
        settings = asdict(self.target)
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in settings.items()
            if key not in ('output', 'every_image') and value is not None
        }

    def existing(self, record: Record) -> Path | None:
        """Return the dataset's own depth of an image."""
        return record.depth

    def inputs(self, record: Record) -> dict[str, str]:
        """Return the inputs of an annotation by name: the SHA-256 of a file, or a value."""
        inputs = {'image': file_sha256(record.image)}
        ground = self.target.ground
        if (self.target.invalid_classes or ground) and record.segmentation is not None:
            inputs['labels'] = file_sha256(record.segmentation)
        if ground:
            inputs['fx'] = str(record.fx)
        return inputs

    def encode(
        self, annotation: Annotation, record: Record, dataset: FileDataset
    ) -> tuple[bytes, dict[str, Any]]:
        """Return the content of the file, and details for its provenance."""
        depth = self.depth(annotation, record, dataset)
        known = np.isfinite(depth)
        about = {
            'known': float(known.mean()),
            'median': float(np.median(depth[known])) if known.any() else None,
        }
        if self.target.format == 'tiff':
            return _encode('.tiff', depth), about
        stored = np.round(np.where(known, depth, 0) * self.target.units_per_metre)
        return _encode('.png', stored.astype(np.uint16)), about

    def depth(
        self, annotation: Annotation, record: Record, dataset: FileDataset
    ) -> NDArray[np.float32]:
        """
        Return the depth in metres, NaN where unknown.

        Raises HydranetError if the target names classes but the image has no labels, or if the
        ground needs the focal length, which is unknown.
        """
        assert annotation.depth is not None
        depth = annotation.depth * np.float32(self.target.scale)
        ground = self.target.ground
        if ground is not None:
            if record.fx is None:
                raise HydranetError(
                    f'{record.image} has no focal length, which the depth of the ground needs; '
                    'add `intrinsics` to its dataset file.'
                )
            on_it = _where(ground.classes, record, dataset)
            depth = ground.laid(depth, on_it, record.fx, record.stem)
        with np.errstate(invalid='ignore'):
            outside = ~((depth > self.target.minimum) & (depth < self.target.maximum))
        depth[outside] = np.nan
        if self.target.invalid_classes:
            depth[_where(self.target.invalid_classes, record, dataset)] = np.nan
        return depth

    def measure(
        self, annotations: Iterator[tuple[Record, Annotation]], dataset: FileDataset
    ) -> dict[str, Any]:
        """
        Measure the teacher against the dataset's depth; returns an empty dict if there is none.

        Returns figures like `Accumulator.figures`, over the pixels where the teacher gives depth;
        ``known`` is the share of these pixels among those with ground truth. Raises HydranetError
        if the dataset declares no depth.
        """
        if dataset.depth_format is None:
            raise HydranetError(f'Dataset {dataset.name} has no depth to measure the teacher on.')
        depth_range = (max(self.target.minimum, 1e-3), self.target.maximum)
        measured = Accumulator(
            ['depth'], EvaluationProtocol(None, depth_range, origins=dataset.about)
        )
        pixels = 0
        for record, annotation in annotations:
            if record.depth is not None:
                truth = read_depth(record.depth, dataset.depth_format)
                depth = self.depth(annotation, record, dataset)
                pixels += int(np.isfinite(truth).sum())
                measured.add('depth', depth, np.where(np.isfinite(depth), truth, np.nan))
        figures = measured.figures().get('depth', {})
        return {**figures, 'known': figures['pixels'] / pixels} if figures else {}


def _where(classes: Sequence[str], record: Record, dataset: FileDataset) -> NDArray[np.bool_]:
    """Return the mask of pixels that the dataset labels as one of these classes."""
    form = dataset.segmentation_format
    if record.segmentation is None or form is None or form.label_set is None:
        raise HydranetError(
            f'{record.image} has no labels that show {", ".join(classes)}; distil labels first.'
        )
    names = load_label_set(form.label_set).classes
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise HydranetError(
            f'The distillation names {", ".join(unknown)}, which is not in {form.label_set}.'
        )
    labels = read_segmentation(record.segmentation, form)
    return np.isin(labels, [names.index(name) for name in classes])


Writer: TypeAlias = SegmentationWriter | DepthWriter | NormalsWriter


def _encode(suffix: str, image: NDArray) -> bytes:
    encoded, buffer = cv2.imencode(suffix, image)
    assert encoded
    return buffer.tobytes()
