# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Cityscapes (Cordts et al. 2016): fine labels, in the folder layout of the benchmark.

Images are ``leftImg8bit/<split>/<city>/<frame>_leftImg8bit.png``; labels are
``gtFine/<split>/<city>/<frame>_gtFine_labelIds.png``, with the 34 ids of the benchmark. The focal
length is read from ``camera/<split>/<city>/<frame>_camera.json``, if present.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from hydranet_ros.data.configuration import build
from hydranet_ros.data.datasets import FileDataset, Record
from hydranet_ros.data.image_files import Intrinsics, SegmentationFormat
from hydranet_ros.errors import HydranetError

ID_TO_TRAIN_ID = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9,
    23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18,
}  # fmt: skip
"""Maps the benchmark's evaluated ids to trainIds; all other ids are ignored."""
_IMAGE, _LABELS, _CAMERA = '_leftImg8bit.png', '_gtFine_labelIds.png', '_camera.json'


@dataclass(frozen=True)
class CityscapesFiles:
    """What a dataset file of this reader holds."""

    name: str
    root: str  # folder with ``leftImg8bit`` and ``gtFine``
    label_set: str = 'cityscapes19'
    mapping: dict[int, int] | None = None  # from benchmark ids to ids of label_set; None: trainIds
    license: str = 'Cityscapes terms (non-commercial)'


def read_cityscapes(content: Mapping[str, Any], split: str, source: str) -> FileDataset:
    """
    Open a split of Cityscapes: ``train``, ``val`` or ``test``.

    Raises HydranetError if there are no images, or a camera file is malformed.
    """
    files = build(CityscapesFiles, content, source)
    root = Path(files.root).expanduser()
    folder = root / 'leftImg8bit' / split
    if not folder.is_dir():
        raise HydranetError(f'{source} has no split {split!r}: there is no folder {folder}.')
    records = []
    for image in sorted(folder.glob(f'*/*{_IMAGE}')):
        city, frame = image.parent.name, image.name[: -len(_IMAGE)]
        labels = root / 'gtFine' / split / city / f'{frame}{_LABELS}'
        camera = root / 'camera' / split / city / f'{frame}{_CAMERA}'
        records.append(
            Record(
                frame,
                image,
                segmentation=labels if labels.is_file() else None,
                intrinsics=_intrinsics(camera) if camera.is_file() else None,
            )
        )
    form = SegmentationFormat(files.label_set, mapping=files.mapping or ID_TO_TRAIN_ID)
    about = {'license': files.license, 'segmentation': 'human'}
    return FileDataset(f'{files.name}/{split}', records, form, about=about)


def _intrinsics(camera: Path) -> Intrinsics:
    try:
        return Intrinsics(float(json.loads(camera.read_text(encoding='utf-8'))['intrinsic']['fx']))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HydranetError(f'{camera} has no intrinsic fx; download it again.') from error
