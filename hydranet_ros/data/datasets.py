# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets of files on disk, and datasets kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydranet_ros.data.image_files import (
    DepthFormat,
    Intrinsics,
    NormalsFormat,
    read_depth,
    read_normals,
    read_pose,
    read_rgb,
    read_segmentation,
    SegmentationFormat,
)
from hydranet_ros.data.sample import ANNOTATIONS, Dataset, Sample
from hydranet_ros.errors import HydranetError


@dataclass(frozen=True)
class Record:
    """The files of one sample; missing ones are None."""

    stem: str  # unique in its dataset
    image: Path
    segmentation: Path | None = None
    depth: Path | None = None
    normals: Path | None = None
    pose: Path | None = None
    intrinsics: Intrinsics | None = None

    @property
    def fx(self) -> float | None:
        """Horizontal focal length in pixels, None if unknown."""
        return None if self.intrinsics is None else self.intrinsics.fx


class FileDataset:
    """
    A dataset whose samples are files.

    The format of an annotation is needed if any record has the annotation. ``about`` is as in
    `Dataset`. ``unmatched`` are annotations without an image.
    """

    def __init__(
        self,
        name: str,
        records: Sequence[Record],
        segmentation_format: SegmentationFormat | None = None,
        depth_format: DepthFormat | None = None,
        about: Mapping[str, str] | None = None,
        *,
        normals_format: NormalsFormat | None = None,
        unmatched: Sequence[Path] = (),
    ) -> None:
        if not records:
            raise HydranetError(f'Dataset {name} has no images; check its root and split.')
        self.name = name
        self.records = tuple(records)
        self.segmentation_format = segmentation_format
        self.depth_format = depth_format
        self.normals_format = normals_format
        self.unmatched = tuple(unmatched)
        self.about = dict(about or {})
        self.label_set = segmentation_format.label_set if segmentation_format else None

    def __len__(self) -> int:
        return len(self.records)

    def tasks(self, index: int) -> frozenset[str]:
        """Return which annotations a sample has."""
        record = self.records[index]
        return frozenset(name for name in ANNOTATIONS if getattr(record, name) is not None)

    def load(self, index: int) -> Sample:
        """Read one sample; see `Dataset.load`."""
        record = self.records[index]
        labels = depth = normals = None
        if record.segmentation is not None:
            assert self.segmentation_format is not None
            labels = read_segmentation(record.segmentation, self.segmentation_format)
        if record.depth is not None:
            assert self.depth_format is not None
            depth = read_depth(record.depth, self.depth_format)
        if record.normals is not None:
            assert self.normals_format is not None
            normals = read_normals(record.normals, self.normals_format)
        image = read_rgb(record.image)
        height, width = image.shape[:2]
        return Sample(
            name=str(record.image),
            image=image,
            segmentation=labels,
            label_set=self.label_set if labels is not None else None,
            depth=depth,
            normals=normals,
            camera=record.intrinsics.camera(width, height) if record.intrinsics else None,
            pose=read_pose(record.pose) if record.pose is not None else None,
        )


class DatasetInMemory:
    """
    A dataset that is read once instead of in every epoch.

    Loader processes that are forked later share the memory of the samples.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.name = dataset.name
        self.label_set = dataset.label_set
        self.about = dataset.about
        self._tasks = [dataset.tasks(index) for index in range(len(dataset))]
        self._samples = [dataset.load(index) for index in range(len(dataset))]

    def __len__(self) -> int:
        return len(self._samples)

    def tasks(self, index: int) -> frozenset[str]:
        """Return which annotations a sample has."""
        return self._tasks[index]

    def load(self, index: int) -> Sample:
        """Return one sample."""
        return self._samples[index]


Reader = Callable[[Mapping[str, Any], str, str], Dataset]
"""Opens a dataset, given the content of its dataset file, the split, and a name for errors."""
