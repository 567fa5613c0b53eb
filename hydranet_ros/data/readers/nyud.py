# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
NYUDv2 (Silberman et al. 2012): the labelled ``.mat`` with its 40-class mapping and split.

``nyu_depth_v2_labeled.mat`` is HDF5 with MATLAB's order of axes: ``images`` N x 3 x W x H,
``depths`` N x W x H in metres, ``labels`` N x W x H with 894 classes and 0 for unlabelled.
``classMapping40.mat`` (Gupta et al. 2013) has ``mapClass``, which maps each of the 894 classes to
1 … 40. ``splits.mat`` has ``trainNdxs`` and ``testNdxs``, frame numbers that start at 1. Text
files of numbers can replace the latter two files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.configuration import build
from hydranet_ros.data.image_files import Intrinsics
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import UNLABELED

LABEL_SET = 'nyud40'
INTRINSICS = Intrinsics(518.8579, 519.4696, 325.5824, 253.7362)
"""Intrinsics of the colour camera, from the toolbox's ``camera_params.m``."""
MAXIMUM_DEPTH = 10.0
_CLASSES = 40


@dataclass(frozen=True)
class NyudFiles:
    """What a dataset file of this reader holds."""

    name: str
    labeled: str  # ``nyu_depth_v2_labeled.mat``
    classes: str  # ``classMapping40.mat``, or a text file with 894 numbers from 1 to 40
    # Maps the name of a split to ``splits.mat``, or to a text file of frame numbers from 1.
    splits: dict[str, str]
    license: str = 'unknown'


class NyudDataset:
    """
    Frames of the labelled ``.mat``.

    ``frames`` are frame numbers from 0. ``table`` maps the file's classes to ids; its first entry,
    for unlabelled, is 255.
    """

    label_set = LABEL_SET

    def __init__(
        self,
        name: str,
        path: Path,
        frames: NDArray[np.int64],
        table: NDArray[np.uint8],
        about: Mapping[str, str],
    ) -> None:
        self.name = name
        self.about = about
        self._path = path
        self._frames = frames
        self._table = table
        self._file: tuple[int, Any] | None = None
        total = len(self._open()['images'])
        if not len(frames) or frames.min() < 0 or frames.max() >= total:
            raise HydranetError(f'{name} selects frames outside 1 to {total} of {path}.')

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._frames)

    def tasks(self, index: int) -> frozenset[str]:
        """Return the annotated tasks: segmentation and depth for every sample."""
        return frozenset({'segmentation', 'depth'})

    def load(self, index: int) -> Sample:
        """
        Read one sample.

        Raises HydranetError if the file is damaged or holds a class that the mapping lacks.
        """
        frame = int(self._frames[index])
        name = f'{self._path} frame {frame + 1}'
        file = self._open()
        try:
            image, depth, stored = (file[key][frame] for key in ('images', 'depths', 'labels'))
        except (OSError, KeyError) as error:
            raise HydranetError(f'{name} cannot be read ({error}); download it again.') from error
        if stored.max(initial=0) >= len(self._table):
            raise HydranetError(
                f'{name} has class {stored.max()}, but the mapping ends at '
                f'{len(self._table) - 1}; use the mapping that belongs to the file.'
            )
        metres = np.ascontiguousarray(depth.T, np.float32)
        metres[~((metres > 0) & (metres <= MAXIMUM_DEPTH))] = np.nan
        rgb = np.ascontiguousarray(image.transpose(2, 1, 0))
        height, width = rgb.shape[:2]
        return Sample(
            name=name,
            image=rgb,
            segmentation=np.ascontiguousarray(self._table[stored].T),
            label_set=LABEL_SET,
            depth=metres,
            camera=INTRINSICS.camera(width, height),
        )

    def _open(self) -> Any:
        # HDF5 handles cannot be used in forked loader processes.
        if self._file is None or self._file[0] != os.getpid():
            self._file = (os.getpid(), _open_hdf5(self._path))
        return self._file[1]


def read_nyud(content: Mapping[str, Any], split: str, source: str) -> NyudDataset:
    """
    Open a split of NYUDv2.

    Raises HydranetError if a file is missing or invalid.
    """
    files = build(NyudFiles, content, source)
    if split not in files.splits:
        raise HydranetError(f'{source} has no split {split!r}; it has: {", ".join(files.splits)}.')
    classes = _numbers(Path(files.classes), 'mapClass')
    if classes.min(initial=1) < 1 or classes.max(initial=1) > _CLASSES:
        raise HydranetError(f'{files.classes} maps to classes outside 1 to {_CLASSES}.')
    table = np.concatenate([[UNLABELED], classes - 1]).astype(np.uint8)
    frames = _numbers(Path(files.splits[split]), f'{split}Ndxs') - 1
    about = {'license': files.license, 'segmentation': 'human', 'depth': 'measured'}
    return NyudDataset(f'{files.name}/{split}', Path(files.labeled), frames, table, about)


def _open_hdf5(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise HydranetError(f'Cannot read {path} as HDF5; download the file again.') from error


def _numbers(path: Path, key: str) -> NDArray[np.int64]:
    """Read whole numbers from a variable of a ``.mat`` (version 5), or from a text file."""
    try:
        if path.suffix == '.mat':
            from scipy.io import loadmat

            values = loadmat(str(path))[key]
        else:
            values = np.loadtxt(path, ndmin=1)
        return np.asarray(values).ravel().astype(np.int64)
    except ImportError as error:
        raise HydranetError(f'{path} needs scipy; install it, or give a text file.') from error
    except (OSError, ValueError, KeyError) as error:
        what = f'the variable {key!r}' if path.suffix == '.mat' else 'whole numbers'
        raise HydranetError(f'Cannot read {what} from {path} ({error}).') from error
