# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A stream of samples from a dataset, a folder of samples, images, a video or a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from hydranet_ros.camera.camera import ideal_camera
from hydranet_ros.data.media import IMAGE_FOLDER, open_source
from hydranet_ros.data.open_dataset import open_folder
from hydranet_ros.data.sample import Dataset, Sample

T = TypeVar('T')


@dataclass(frozen=True)
class SampleSource:
    """Where samples come from; `samples` yields them and is called once."""

    name: str
    count: int | None  # None if unknown in advance
    samples: Callable[[], Iterator[Sample]] = field(repr=False)


@dataclass(frozen=True)
class Selection:
    """Selects every N-th sample of a source, starting at `first`, and at most `maximum`."""

    every: int = 1
    maximum: int | None = None
    first: int = 0

    def of(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the selected items; no item after the last selected one is read."""
        last = None if self.maximum is None else self.first + (self.maximum - 1) * self.every
        return islice(items, self.first, None if last is None else last + 1, self.every)

    def count(self, available: int) -> int:
        """Return how many of the available samples are selected."""
        return len(range(self.first, available, self.every)[: self.maximum])


ALL = Selection()


def open_samples(
    where: str,
    selection: Selection = ALL,
    *,
    depth_unit: float = 0.001,  # metres per step of a depth PNG
    focal_length: float | None = None,  # pixels, for samples without a camera
) -> SampleSource:
    """
    Open a folder of samples, an image, a folder of images, a video, or a camera by its index.

    Raises HydranetError if the source does not exist or holds no images.
    """
    folder = Path(where).expanduser()
    if (folder / IMAGE_FOLDER).is_dir():
        return dataset_samples(open_folder(folder, depth_unit), selection, focal_length)
    source = open_source(where)

    def samples() -> Iterator[Sample]:
        for frame in selection.of(source.frames()):
            sample = frame.read()
            # A focal length of the user is better than that of EXIF data.
            yield with_camera(
                replace(sample, camera=None) if focal_length else sample, focal_length
            )

    count = None if source.count is None else selection.count(source.count)
    return SampleSource(source.name, count, samples)


def dataset_samples(
    dataset: Dataset, selection: Selection = ALL, focal_length: float | None = None
) -> SampleSource:
    """Return the samples of a dataset in order; the focal length is as in `open_samples`."""
    indices = list(selection.of(range(len(dataset))))

    def samples() -> Iterator[Sample]:
        for index in indices:
            yield with_camera(dataset.load(index), focal_length)

    return SampleSource(dataset.name, len(indices), samples)


def with_camera(sample: Sample, focal_length: float | None) -> Sample:
    """Add an ideal camera to a sample without one, if a focal length in pixels is given."""
    if sample.camera is not None or focal_length is None:
        return sample
    height, width = sample.image.shape[:2]
    return replace(sample, camera=ideal_camera(width, height, focal_length))
