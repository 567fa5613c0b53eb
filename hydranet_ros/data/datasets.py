# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets that lie on disk as files: what each sample's files are, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
