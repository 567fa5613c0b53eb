# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Hard distillation: a teacher annotates images that lack an annotation.

The annotations are ordinary files: people can look at them, and training reads them like any
others. :mod:`~hydranet_ros.training.distillation.annotation_folder` keeps them apart from human
annotations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros import __version__
from hydranet_ros.data.configuration import (
    build,
    check_overrides,
    read_with_overrides,
    substitute,
    variables_in_files,
)
from hydranet_ros.data.datasets import FileDataset, Record
from hydranet_ros.data.image_files import read_depth, read_rgb
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.dataset_evaluation import spread_indices
from hydranet_ros.resources import config_file
from hydranet_ros.training.distillation.annotation_folder import AnnotationFolder, State
from hydranet_ros.training.distillation.annotation_writers import (
    DepthTarget,
    DepthWriter,
    SegmentationTarget,
    SegmentationWriter,
    Writer,
)
from hydranet_ros.training.distillation.normals_writer import NormalsTarget, NormalsWriter
from hydranet_ros.training.distillation.teachers import load_teacher
from hydranet_ros.training.distillation.teachers.base import Annotation, file_sha256
from hydranet_ros.training.distillation.teachers.tiled_views import Views


@dataclass(frozen=True)
class DistillationConfig:
    """The content of a file in ``config/distillation``."""

    dataset: str  # file, or the name of one in config/datasets
    split: str
    teacher: str  # file, or the name of one in config/teachers
    segmentation: SegmentationTarget | None = None  # at least one of these three
    depth: DepthTarget | None = None
    normals: NormalsTarget | None = None
    views: Views | None = None  # replaces the views of the teacher's file

    def __post_init__(self) -> None:
        if self.segmentation is None and self.depth is None and self.normals is None:
            raise HydranetError(
                'A distillation needs a section `segmentation`, `depth` or `normals`.'
            )


class _DatasetFrames:
    """The images of a dataset, for teachers (see ``Frames``)."""

    def __init__(self, dataset: FileDataset) -> None:
        self._records = dataset.records
        self._depth_format = dataset.depth_format

    def __len__(self) -> int:
        return len(self._records)

    def name(self, index: int) -> str:
        return str(self._records[index].image)

    def rgb(self, index: int) -> NDArray[np.uint8]:
        return read_rgb(self._records[index].image)

    def fx(self, index: int) -> float | None:
        return self._records[index].fx

    def depth(self, index: int) -> NDArray[np.float32] | None:
        file = self._records[index].depth
        if file is None or self._depth_format is None:
            return None
        return read_depth(file, self._depth_format)

    def depth_format(self) -> str:
        return str(self._depth_format)

    @cached_property
    def _digest(self) -> str:
        lines = [f'{file_sha256(record.image)} {record.fx}' for record in self._records]
        return hashlib.sha256('\n'.join(lines).encode()).hexdigest()

    def digest(self) -> str:
        return self._digest


class Distillation:
    """
    A teacher, and the dataset that it annotates.

    ``variables`` are values for ``${name}`` in the files of the teacher and the dataset.
    """

    def __init__(
        self, config: DistillationConfig, variables: Mapping[str, str] | None = None
    ) -> None:
        self.config = config
        dataset = load_dataset(config.dataset, config.split, variables)
        if not isinstance(dataset, FileDataset):
            raise HydranetError(
                f'Dataset {config.dataset} does not keep its images as files, so annotations '
                'cannot be written; unpack the dataset into folders of files.'
            )
        self.dataset = dataset
        self._frames = _DatasetFrames(dataset)
        self.teacher = load_teacher(config.teacher, variables, config.views)
        self.writers: list[Writer] = []
        if config.segmentation is not None:
            self.writers.append(SegmentationWriter(config.segmentation, self.teacher))
        if config.depth is not None:
            self.writers.append(DepthWriter(config.depth, self.teacher))
        if config.normals is not None:
            self.writers.append(NormalsWriter(config.normals, self.teacher))

    def run(
        self,
        rank: int = 0,
        world_size: int = 1,
        progress: Callable[[Sequence[int]], Iterator[int]] = iter,
    ) -> Counter[str]:
        """
        Write the missing annotations of the images that this process handles.

        Parameters
        ----------
        rank, world_size
            This process handles every ``world_size``-th image, starting at number ``rank``.
        progress
            Wraps the indices of the images, e.g. in a progress bar.

        Returns
        -------
        Counter
            Numbers of annotations: ``written``, ``kept`` (up to date), ``edited`` (changed by a
            person since) and ``annotated`` (already in the dataset).

        """
        folders = [self._folder(writer) for writer in self.writers]
        done: Counter[str] = Counter()
        for index in progress(range(rank, len(self.dataset), world_size)):
            record = self.dataset.records[index]
            wanted = []
            for writer, folder in zip(self.writers, folders, strict=True):
                inputs = writer.inputs(record) | self.teacher.inputs(self._frames)
                verdict = _verdict(writer, folder, record, inputs)
                done[verdict] += 1
                if verdict == 'written':
                    wanted.append((writer, folder, inputs))
            if wanted:
                annotation = self.teacher.annotate_frame(self._frames, index)
                for writer, folder, inputs in wanted:
                    content, about = writer.encode(annotation, record, self.dataset)
                    about |= {'dataset': self.dataset.name, 'image': record.image.name}
                    about |= annotation.about
                    folder.write(record.stem, content, inputs, about)
        return done

    def measure(
        self, limit: int | None = None, progress: Callable[[Sequence[int]], Iterator[int]] = iter
    ) -> dict[str, Any]:
        """
        Measure the teacher against the annotations of the dataset; returns figures by task.

        Nothing is written. At most ``limit`` images are used, spread over the dataset;
        ``progress`` wraps their indices.
        """
        chosen = spread_indices(len(self.dataset), limit)

        def annotations() -> Iterator[tuple[Record, Annotation]]:
            for index in progress(chosen):
                yield (
                    self.dataset.records[index],
                    self.teacher.annotate_frame(self._frames, index),
                )

        return {
            writer.task: writer.measure(annotations(), self.dataset) for writer in self.writers
        }

    def _folder(self, writer: Writer) -> AnnotationFolder:
        recipe = {'teacher': self.teacher.identity, 'task': writer.task, **writer.recipe}
        about = {
            'made_by': f'hydranet distill, version {__version__}',
            'dataset': self.dataset.name,
            'split': self.config.split,
            'teacher': dict(self.teacher.about),
        }
        return AnnotationFolder(Path(writer.target.output), writer.suffix, recipe, about)


def load_config(
    path: str | Path, overrides: Sequence[str] = ()
) -> tuple[DistillationConfig, dict[str, str]]:
    """
    Read a distillation file and its variables.

    Parameters
    ----------
    path
        A ``.yaml`` file, or the name of a file in ``config/distillation``.
    overrides
        ``key=value`` or ``section.key=value``; a key that is not in the file format sets a
        variable.

    """
    path = config_file('distillation', path)
    content, variables, used = read_with_overrides(path, overrides, DistillationConfig)
    # The split is a variable too, since output folders are usually named after it.
    content = substitute(content, {**variables, 'split': str(content.get('split'))}, str(path))
    config = build(DistillationConfig, content, str(path))
    used |= variables_in_files([('datasets', config.dataset), ('teachers', config.teacher)])
    check_overrides(overrides, DistillationConfig, used, str(path))
    return config, variables


def _verdict(
    writer: Writer, folder: AnnotationFolder, record: Record, inputs: Mapping[str, str]
) -> str:
    """Return the key under which ``Distillation.run`` counts an annotation."""
    existing = writer.existing(record)
    own = existing is not None and existing.resolve() == folder.file(record.stem).resolve()
    if existing is not None and not own and not writer.target.every_image:
        return 'annotated'
    state = folder.state(record.stem, inputs)
    return {State.CURRENT: 'kept', State.EDITED: 'edited'}.get(state, 'written')
