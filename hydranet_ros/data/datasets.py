# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets that lie on disk as files: what each sample's files are, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydranet_ros.data.configuration import substitute
from hydranet_ros.data.image_files import (
    DepthFormat,
    read_depth,
    read_normals,
    read_rgb,
    read_segmentation,
    SegmentationFormat,
)
from hydranet_ros.data.sample import Dataset, Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_path, read_yaml


@dataclass(frozen=True)
class Record:
    """
    The files of one sample; None where an annotation is missing.

    Attributes
    ----------
    stem
        Name that tells it from the others of its dataset.
    image, segmentation, depth, normals
        Files.
    fx
        Horizontal focal length in pixels, None if unknown.

    """

    stem: str
    image: Path
    segmentation: Path | None = None
    depth: Path | None = None
    normals: Path | None = None
    fx: float | None = None


class FileDataset:
    """
    Samples whose parts are image files.

    Parameters
    ----------
    name
        What to call the dataset.
    records
        Its samples.
    segmentation_format, depth_format
        How labels and depth are stored; needed where a record has them.
    about
        For the provenance of what is trained on it: licence, and the origin of each annotation
        (human, measured, distilled).

    """

    def __init__(
        self,
        name: str,
        records: Sequence[Record],
        segmentation_format: SegmentationFormat | None = None,
        depth_format: DepthFormat | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        if not records:
            raise HydranetError(f'Dataset {name} has no images; check its root and split.')
        self.name = name
        self.records = tuple(records)
        self.segmentation_format = segmentation_format
        self.depth_format = depth_format
        self.about = dict(about or {})
        self.label_set = segmentation_format.label_set if segmentation_format else None

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.records)

    def tasks(self, index: int) -> frozenset[str]:
        """Return the names of the tasks that a sample is annotated for."""
        record = self.records[index]
        names = ('segmentation', 'depth', 'normals')
        return frozenset(name for name in names if getattr(record, name) is not None)

    def load(self, index: int) -> Sample:
        """
        Read one sample.

        Raises
        ------
        HydranetError
            If a file is missing, unreadable, or not what it should be; it is named.

        """
        record = self.records[index]
        labels = depth = None
        if record.segmentation is not None:
            assert self.segmentation_format is not None
            labels = read_segmentation(record.segmentation, self.segmentation_format)
        if record.depth is not None:
            assert self.depth_format is not None
            depth = read_depth(record.depth, self.depth_format)
        return Sample(
            name=str(record.image),
            image=read_rgb(record.image),
            segmentation=labels,
            label_set=self.label_set if labels is not None else None,
            depth=depth,
            normals=read_normals(record.normals) if record.normals is not None else None,
            fx=record.fx,
        )


Reader = Callable[[Mapping[str, Any], str, str], Dataset]
"""``(content, split, source)``: build a dataset from a dataset file's content."""


def load_dataset(
    config: str | Path, split: str, variables: Mapping[str, str] | None = None
) -> Dataset:
    """
    Open a dataset by its YAML file.

    Parameters
    ----------
    config
        Path of the file, or the name of one in ``config/datasets/``.
    split
        One of the file's splits.
    variables
        Values for ``${name}`` in the file; those that it lacks come from the environment as
        ``HYDRANET_NAME``, then from the file's own ``variables``.

    Raises
    ------
    HydranetError
        If the file, the split or the data are missing or wrong.

    """
    from hydranet_ros.data.readers import READERS

    path = dataset_config_path(config)
    content = substitute(read_yaml(path), variables or {}, str(path))
    reader = content.pop('reader', 'folders')
    content.pop('variables', None)
    content.setdefault('name', path.stem)
    if reader not in READERS:
        raise HydranetError(
            f'{path} names the reader {reader!r}; known are {", ".join(sorted(READERS))}.'
        )
    return READERS[reader](content, split, str(path))


def dataset_config_path(config: str | Path) -> Path:
    """
    Return the dataset file that a path, or a name in ``config/datasets/``, means.

    Raises
    ------
    HydranetError
        If there is none.

    """
    path = Path(config).expanduser()
    if path.suffix in ('.yaml', '.yml'):
        if path.is_file():
            return path
        raise HydranetError(f'There is no dataset file {path}.')
    return config_path(f'datasets/{config}.yaml')
