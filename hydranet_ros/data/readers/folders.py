# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The generic layout: one folder for images and one per annotation; files are matched by stem.

If the folder of an annotation lacks the stem of an image, this sample has no such annotation.
Poses are in ``pose/`` beside the images' folder. If the dataset file has no ``intrinsics``, they
are read from ``camera-intrinsics.txt``, if it exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydranet_ros.data.configuration import build
from hydranet_ros.data.datasets import FileDataset, Record
from hydranet_ros.data.image_files import (
    ANNOTATION_SUFFIXES,
    DepthFormat,
    IMAGE_SUFFIXES,
    Intrinsics,
    INTRINSICS_NAME,
    natural_order,
    NormalsFormat,
    POSE_SUFFIXES,
    read_intrinsics,
    SegmentationFormat,
)
from hydranet_ros.data.sample import ANNOTATIONS
from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import noted

_NO_ANNOTATION = ('', '.json', '.md', '.txt', '.yaml')
"""Suffixes of other files and folders, such as the provenance of distilled annotations."""


@dataclass(frozen=True)
class ImageFolder:
    """Folder of the images, and the ending of their names before the suffix."""

    folder: str = 'image'
    ending: str = ''


@dataclass(frozen=True)
class SegmentationFolder:
    """Folder and format of labels; see ``SegmentationFormat`` for the fields."""

    label_set: str | None
    folder: str = 'segmentation'
    ending: str = ''
    ignore: tuple[int, ...] = ()
    offset: int = 0
    mapping: dict[int, int] | None = None
    colors: bool = False
    optional: bool = False
    origin: str = 'human'

    def format(self) -> SegmentationFormat:
        """Return how the files are decoded."""
        return SegmentationFormat(
            self.label_set, self.ignore, self.offset, self.mapping, self.colors
        )


@dataclass(frozen=True)
class DepthFolder:
    """Folder and format of depth; see ``DepthFormat`` for the fields."""

    units_per_metre: float
    folder: str = 'depth'
    ending: str = ''
    invalid: tuple[int, ...] = (0,)
    minimum: float = 0.0
    maximum: float = float('inf')
    optional: bool = False
    origin: str = 'measured'

    def format(self) -> DepthFormat:
        """Return how the files are decoded."""
        return DepthFormat(self.units_per_metre, self.invalid, self.minimum, self.maximum)


@dataclass(frozen=True)
class NormalsFolder:
    """Folder of normals in 8-bit RGB images; see ``NormalsFormat`` for ``axes``."""

    folder: str = 'normals'
    ending: str = ''
    axes: tuple[str, ...] = ('x', 'y', 'z')
    optional: bool = False
    origin: str = 'measured'

    def format(self) -> NormalsFormat:
        """Return how the files are decoded."""
        return NormalsFormat(self.axes)


@dataclass(frozen=True)
class Split:
    """Selects the samples of a split; all given conditions must hold."""

    root: str = ''  # folder of this split's folders, relative to the dataset's root
    first: str | None = None  # smallest stem, in natural order: 2 is before 10
    last: str | None = None  # largest stem, included
    ranges: tuple[tuple[str, str], ...] = ()  # (first, last) stem; one range must match
    without: str | None = None  # name of another split whose samples are left out
    list: str | None = None  # text file with one stem per line, relative to the dataset's root
    intrinsics: Intrinsics | None = None  # this field and those below replace the dataset's
    segmentation: SegmentationFolder | None = None
    depth: DepthFolder | None = None
    normals: NormalsFolder | None = None


@dataclass(frozen=True)
class FolderLayout:
    """What a dataset file of the generic layout holds."""

    name: str
    root: str
    splits: dict[str, Split]
    image: ImageFolder = field(default_factory=ImageFolder)
    segmentation: SegmentationFolder | None = None
    depth: DepthFolder | None = None
    normals: NormalsFolder | None = None
    intrinsics: Intrinsics | None = None
    license: str = 'unknown'


def read_folders(content: Mapping[str, Any], split: str, source: str) -> FileDataset:
    """
    Open a split of a dataset in the generic layout; `source` names the dataset in errors.

    Raises HydranetError if the content is wrong, or a folder, a list or a listed image is missing.
    """
    layout = build(FolderLayout, content, source)
    if split not in layout.splits:
        raise HydranetError(
            f'{source} has no split {split!r}; it has: {", ".join(layout.splits)}.'
        )
    part = layout.splits[split]
    root = Path(layout.root).expanduser() / part.root
    images = files_by_stem(root / layout.image.folder, IMAGE_SUFFIXES, layout.image.ending)
    if not images:
        raise HydranetError(f'The folder {root / layout.image.folder} holds no image.')
    every = sorted(images, key=natural_order)
    stems = _selected(every, part, Path(layout.root).expanduser(), source)
    if part.without is not None:
        if part.without not in layout.splits:
            raise HydranetError(
                f'{source}: `without` names {part.without!r}, which is not a split.'
            )
        other = layout.splits[part.without]
        left_out = set(_selected(every, other, Path(layout.root).expanduser(), source))
        stems = [stem for stem in stems if stem not in left_out]

    places = {task: getattr(part, task) or getattr(layout, task) for task in ANNOTATIONS}
    annotations = {
        task: files_by_stem(root / place.folder, ANNOTATION_SUFFIXES, place.ending)
        for task, place in places.items()
        if place is not None and not (place.optional and not (root / place.folder).is_dir())
    }
    for task, files in annotations.items():
        _check_matches(task, root / places[task].folder, files, images)
    poses: dict[str, Path] = {}
    pose_folder = (root / layout.image.folder).parent / 'pose'
    if pose_folder.is_dir():
        poses = files_by_stem(pose_folder, POSE_SUFFIXES, layout.image.ending)
    intrinsics = part.intrinsics or layout.intrinsics
    if intrinsics is None and (root / INTRINSICS_NAME).is_file():
        intrinsics = read_intrinsics(root / INTRINSICS_NAME)
    records = [
        Record(
            stem,
            images[stem],
            **{task: files.get(stem) for task, files in annotations.items()},
            pose=poses.get(stem),
            intrinsics=intrinsics,
        )
        for stem in stems
    ]
    return FileDataset(
        f'{layout.name}/{split}',
        records,
        places['segmentation'].format() if places['segmentation'] else None,
        places['depth'].format() if places['depth'] else None,
        {'license': layout.license, **{task: places[task].origin for task in annotations}},
        normals_format=places['normals'].format() if places['normals'] else None,
        unmatched=[
            files[stem] for files in annotations.values() for stem in files if stem not in images
        ],
    )


def files_by_stem(folder: Path, suffixes: tuple[str, ...], ending: str = '') -> dict[str, Path]:
    """
    Return the files of a folder by their names without ``ending`` and suffix.

    Raises HydranetError if there is no such folder, or two files share a stem.
    """
    if not folder.is_dir():
        raise HydranetError(f'There is no folder {folder}; correct the dataset file or its root.')
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or not path.stem.endswith(ending):
            continue
        stem = path.stem[: len(path.stem) - len(ending)]
        if stem in found:
            raise HydranetError(f'{found[stem]} and {path} share a stem; remove one of them.')
        found[stem] = path
    return found


def _selected(stems: list[str], part: Split, root: Path, source: str) -> list[str]:
    if part.list is not None:
        path = root / part.list
        try:
            listed = noted(path).read_text(encoding='utf-8').split()
        except OSError as error:
            raise HydranetError(f'Cannot read {path}: {error.strerror or error}.') from error
        absent = sorted(set(listed) - set(stems))
        if absent:
            raise HydranetError(f'{path} lists {absent[0]!r}, which has no image.')
        stems = listed
    stems = [stem for stem in stems if _within(stem, part.first, part.last)]
    if part.ranges:
        stems = [stem for stem in stems if any(_within(stem, *ends) for ends in part.ranges)]
    if not stems:
        raise HydranetError(f'A split of {source} selects no image below {root}.')
    return stems


def _within(stem: str, first: str | None, last: str | None) -> bool:
    """Return whether a stem is between two others, in natural order; None is no limit."""
    key = natural_order(stem)
    return (first is None or natural_order(first) <= key) and (
        last is None or key <= natural_order(last)
    )


def _check_matches(
    task: str, folder: Path, files: Mapping[str, Path], images: Mapping[str, Path]
) -> None:
    """Raise HydranetError if there are annotations but none of them belongs to an image."""
    if files.keys() & images.keys():
        return
    others = sorted(path for path in folder.iterdir() if path.suffix not in _NO_ANNOTATION)
    if not others:
        return
    image = next(iter(images.values()))
    raise HydranetError(
        f'No file in {folder} is the {task} of an image in {image.parent}: names such as '
        f'{others[0].name} and {image.name} must be equal up to the `ending` in the dataset file '
        f'and a suffix, which is one of {", ".join(ANNOTATION_SUFFIXES)} for annotations.'
    )
