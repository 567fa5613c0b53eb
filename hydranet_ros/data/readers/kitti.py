# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
KITTI raw images, listed in Eigen split files, with the improved depth of Uhrig et al. (2017).

``raw`` holds ``2011_09_26/2011_09_26_drive_0002_sync/image_02/data/0000000069.png`` and
``2011_09_26/calib_cam_to_cam.txt``; ``depth`` holds ``train`` or ``val``, then
``2011_09_26_drive_0002_sync/proj_depth/groundtruth/image_02/0000000069.png``, uint16 in 1/256 m.
A split file has one frame per line, as ``drive frame l|r`` (Monodepth2) or as
``image depth focal`` (BTS), where a depth of ``None`` means no ground truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hydranet_ros.data.configuration import build
from hydranet_ros.data.datasets import FileDataset, Record
from hydranet_ros.data.image_files import ANNOTATION_SUFFIXES, DepthFormat, Intrinsics
from hydranet_ros.data.readers.folders import files_by_stem, SegmentationFolder
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.resources import noted

KITTI_DEPTH = DepthFormat(units_per_metre=256.0, invalid=(0,), maximum=80.0)
_CAMERAS = {'l': '02', 'r': '03'}
_SUFFIXES = ('.png', '.jpg')


@dataclass(frozen=True)
class KittiFiles:
    """What a dataset file of this reader holds."""

    name: str
    raw: str  # folder of the raw data
    depth: str  # folder of the improved ground truth
    splits: dict[str, str]  # maps the name of a split to its split file
    # Distilled labels, in files named ``<drive>_<camera>_<frame>``.
    segmentation: SegmentationFolder | None = None
    license: str = 'unknown'


def read_kitti_depth(content: Mapping[str, Any], split: str, source: str) -> FileDataset:
    """
    Open a split of KITTI depth; frames without ground truth are kept, without depth.

    Raises HydranetError if a split file, image or calibration is missing or malformed.
    """
    files = build(KittiFiles, content, source)
    if split not in files.splits:
        raise HydranetError(f'{source} has no split {split!r}; it has: {", ".join(files.splits)}.')
    listing = Path(files.splits[split])
    try:
        lines = noted(listing).read_text(encoding='utf-8').splitlines()
    except OSError as error:
        raise HydranetError(f'Cannot read {listing}: {error.strerror or error}.') from error
    focal_lengths: dict[Path, float] = {}
    records = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f'{listing} line {number}'
            records.append(_record(line.split(), Path(files.raw), Path(files.depth), where))
    completed = [
        record if record.intrinsics is not None else _with_focal(record, focal_lengths)
        for record in records
    ]
    about = {'license': files.license, 'depth': 'measured'}
    form = None
    place = files.segmentation
    if place is not None and not (place.optional and not Path(place.folder).is_dir()):
        labels = files_by_stem(Path(place.folder), ANNOTATION_SUFFIXES, place.ending)
        completed = [replace(item, segmentation=labels.get(item.stem)) for item in completed]
        form = place.format()
        about['segmentation'] = place.origin
    return FileDataset(f'{files.name}/{split}', completed, form, KITTI_DEPTH, about)


def _record(words: list[str], raw: Path, depth: Path, where: str) -> Record:
    intrinsics = None
    if len(words) == 3 and words[2] in _CAMERAS and words[1].isdigit():
        camera = _CAMERAS[words[2]]
        relative = Path(words[0]) / f'image_{camera}' / 'data' / f'{int(words[1]):010d}.png'
    elif len(words) == 3 and words[0].endswith(_SUFFIXES):
        relative = Path(words[0])
        try:
            intrinsics = Intrinsics(float(words[2]))
        except ValueError:
            raise HydranetError(f'{where} has no focal length in its third column.') from None
    else:
        raise HydranetError(f'{where} is neither `drive frame l|r` nor `image depth focal`.')
    image = next(
        (path for suffix in _SUFFIXES if (path := (raw / relative).with_suffix(suffix)).is_file()),
        None,
    )
    if image is None:
        raise HydranetError(f'{where} names {raw / relative}, which does not exist.')
    drive, camera_folder = relative.parts[1], relative.parts[2]
    truth = Path(drive, 'proj_depth', 'groundtruth', camera_folder, f'{relative.stem}.png')
    found = [path for part in ('train', 'val') if (path := depth / part / truth).is_file()]
    stem = f'{drive}_{camera_folder}_{relative.stem}'
    return Record(stem, image, depth=found[0] if found else None, intrinsics=intrinsics)


def _with_focal(record: Record, known: dict[Path, float]) -> Record:
    date, camera = record.image.parents[3], record.image.parents[1].name[-2:]
    calibration = date / 'calib_cam_to_cam.txt'
    key = calibration / camera
    if key not in known:
        known[key] = focal_length(calibration, f'P_rect_{camera}')
    return replace(record, intrinsics=Intrinsics(known[key]))


def focal_length(calibration: Path, key: str) -> float:
    """Return fx, the first element of a projection matrix in KITTI's calibration file."""
    try:
        for line in calibration.read_text(encoding='utf-8').splitlines():
            name, _, values = line.partition(':')
            if name == key:
                return float(values.split()[0])
    except OSError as error:
        raise HydranetError(f'Cannot read {calibration}: {error.strerror or error}.') from error
    except (ValueError, IndexError):
        pass
    raise HydranetError(f'{calibration} has no {key}; download the files of this date again.')


def drive_focal_length(images: Path) -> float | None:
    """Return fx for a raw drive's folder ``<date>/<drive>/image_NN/data``, None for others."""
    data = images.resolve()
    if data.name != 'data' or not data.parent.name.startswith('image_'):
        return None
    calibration = data.parents[2] / 'calib_cam_to_cam.txt'
    camera = data.parent.name.removeprefix('image_')
    return focal_length(calibration, f'P_rect_{camera}') if calibration.is_file() else None


def drive_times(images: Path) -> list[int]:
    """Return the times of a raw drive's images in nanoseconds, none for other folders."""
    path = images.parent / 'timestamps.txt'  # one UTC date and time per line
    if not path.is_file():
        return []
    times = []
    for line in path.read_text(encoding='utf-8').split('\n'):
        if not line.strip():
            continue
        date, _, fraction = line.strip().partition('.')
        try:
            moment = datetime.strptime(date, '%Y-%m-%d %H:%M:%S').replace(tzinfo=timezone.utc)
            nanoseconds = int(fraction.ljust(9, '0')[:9])
        except ValueError as error:
            raise HydranetError(f'{path} holds {line!r}, which is not a date and time.') from error
        times.append(int(moment.timestamp()) * NANOSECONDS + nanoseconds)
    return times
