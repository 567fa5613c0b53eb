# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Hard distillation: a teacher annotates the images that lack an annotation.

The annotations are ordinary files, so that people can look at them and training reads them like
any others; see :mod:`~hydranet_ros.training.distillation.annotation_folder` for how they are told
from human ones.
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
from hydranet_ros.data.configuration import apply_overrides, build, own_variables, substitute
from hydranet_ros.data.datasets import FileDataset, Record
from hydranet_ros.data.image_files import read_rgb
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_path, read_yaml
from hydranet_ros.training.distillation.annotation_folder import AnnotationFolder, State
from hydranet_ros.training.distillation.annotation_writers import (
    DepthTarget,
    DepthWriter,
    SegmentationTarget,
    SegmentationWriter,
    Writer,
)
from hydranet_ros.training.distillation.teachers import load_teacher
from hydranet_ros.training.distillation.teachers.base import Annotation, file_sha256
from hydranet_ros.training.distillation.teachers.tiled_views import Views


@dataclass(frozen=True)
class DistillationConfig:
    """
    What a file in ``config/distillation`` says.

    Attributes
    ----------
    dataset, split
        The images: a dataset file (or the name of one in ``config/datasets``) and its split.
    teacher
        A teacher file (or the name of one in ``config/teachers``).
    segmentation, depth
        What to write; at least one of them.
    views
        How images are shown to the teacher, in place of what its own file says.

    """

    dataset: str
    split: str
    teacher: str
    segmentation: SegmentationTarget | None = None
    depth: DepthTarget | None = None
    views: Views | None = None

    def __post_init__(self) -> None:
        """
        Check that there is something to do.

        Raises
        ------
        HydranetError
            If there is not.

        """
        if self.segmentation is None and self.depth is None:
            raise HydranetError('A distillation needs a section segmentation or depth to write.')


class _DatasetFrames:
    """The images of a dataset as its teacher sees them (see ``Frames``)."""

    def __init__(self, dataset: FileDataset) -> None:
        self._records = dataset.records

    def __len__(self) -> int:
        return len(self._records)

    def name(self, index: int) -> str:
        return str(self._records[index].image)

    def rgb(self, index: int) -> NDArray[np.uint8]:
        return read_rgb(self._records[index].image)

    def fx(self, index: int) -> float | None:
        return self._records[index].fx

    @cached_property
    def _digest(self) -> str:
        told = [f'{file_sha256(record.image)} {record.fx}' for record in self._records]
        return hashlib.sha256('\n'.join(told).encode()).hexdigest()

    def digest(self) -> str:
        return self._digest


class Distillation:
    """
    A teacher at work on a dataset.

    Parameters
    ----------
    config
        What to do.
    variables
        Values for ``${name}`` in the files of the dataset and the teacher.

    Raises
    ------
    HydranetError
        If a file is missing or the parts do not fit each other.

    """

    def __init__(
        self, config: DistillationConfig, variables: Mapping[str, str] | None = None
    ) -> None:
        self.config = config
        dataset = load_dataset(config.dataset, config.split, variables)
        if not isinstance(dataset, FileDataset):
            raise HydranetError(
                f'Dataset {config.dataset} does not keep its images as files, so annotations '
                'cannot be laid beside them; unpack it into folders.'
            )
        self.dataset = dataset
        self._frames = _DatasetFrames(dataset)
        self.teacher = load_teacher(config.teacher, variables, config.views)
        self.writers: list[Writer] = []
        if config.segmentation is not None:
            self.writers.append(SegmentationWriter(config.segmentation, self.teacher))
        if config.depth is not None:
            self.writers.append(DepthWriter(config.depth, self.teacher))

    def run(
        self,
        rank: int = 0,
        world_size: int = 1,
        progress: Callable[[Sequence[int]], Iterator[int]] = iter,
    ) -> Counter[str]:
        """
        Write what is missing of this process's share of the images.

        Parameters
        ----------
        rank, world_size
            This process works on each ``world_size``-th image from the ``rank``-th.
        progress
            Wraps the indices of the images, e.g. in a progress bar.

        Returns
        -------
        Counter
            Number of annotations ``written``; ``kept`` because they are up to date, ``edited``
            because a person has changed them since, ``annotated`` because the dataset has them.

        Raises
        ------
        HydranetError
            If a folder or file is not ours to write, or an image cannot be read.

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
        Compare the teacher with the annotations that the dataset has, and write nothing.

        Parameters
        ----------
        limit
            Greatest number of images, spread over the dataset; None takes all.
        progress
            Wraps the indices of the images.

        Returns
        -------
        dict
            Figures by task.

        """
        count = len(self.dataset)
        chosen = np.linspace(0, count - 1, min(count, limit or count)).round().astype(int).tolist()

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
    Read a distillation file.

    Parameters
    ----------
    path
        A ``.yaml`` file, or the name of one in ``config/distillation``.
    overrides
        ``key=value`` or ``section.key=value``; a plain unknown key sets a variable.

    Returns
    -------
    config
        What it says, its variables put in.
    variables
        The variables, for the dataset's and the teacher's file.

    Raises
    ------
    HydranetError
        If the file is missing, or a key is wrong or missing.

    """
    path = Path(path).expanduser()
    if path.suffix not in ('.yaml', '.yml'):
        path = config_path(f'distillation/{path}.yaml')
    content = read_yaml(path)
    content['variables'] = own_variables(content)
    apply_overrides(content, overrides, str(path), DistillationConfig)
    variables = content.pop('variables')
    # The split is a variable too, since what is written usually goes by its name.
    content = substitute(content, {**variables, 'split': str(content.get('split'))}, str(path))
    return build(DistillationConfig, content, str(path)), variables


def _verdict(
    writer: Writer, folder: AnnotationFolder, record: Record, inputs: Mapping[str, str]
) -> str:
    """Say what becomes of an annotation: one of the counts that ``Distillation.run`` returns."""
    existing = writer.existing(record)
    own = existing is not None and existing.resolve() == folder.file(record.stem).resolve()
    if existing is not None and not own and not writer.target.every_image:
        return 'annotated'
    state = folder.state(record.stem, inputs)
    return {State.CURRENT: 'kept', State.EDITED: 'edited'}.get(state, 'written')
