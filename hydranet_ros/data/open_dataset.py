# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Open a dataset by its YAML file, which names its reader, or a folder without such a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hydranet_ros.data.configuration import beside, substitute, with_files_beside
from hydranet_ros.data.datasets import DatasetInMemory
from hydranet_ros.data.media import IMAGE_FOLDER
from hydranet_ros.data.readers import READERS
from hydranet_ros.data.sample import Dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_file, read_yaml

_SENSOR_INVALID = [0, 65535]
"""Values that depth sensors store for "nothing measured"."""


def load_dataset(
    config: str | Path,
    split: str,
    variables: Mapping[str, str] | None = None,
    *,
    in_memory: bool = False,
) -> Dataset:
    """
    Open a dataset by its YAML file.

    ``config`` is the path of the file, or the name of a file in ``config/datasets/``.
    ``variables`` are values for ``${name}`` in the file, see `substitute`. With ``in_memory``, all
    samples are read now and kept. Raises HydranetError if the file, the split or the data are
    missing or wrong.
    """
    path = config_file('datasets', config)
    content = with_files_beside(read_yaml(path), path)
    if isinstance(root := content.get('root'), str):
        content['root'] = beside(root, path)
    content = substitute(content, variables or {}, str(path))
    reader = content.pop('reader', 'folders')
    content.pop('variables', None)
    content.setdefault('name', path.stem)
    if reader not in READERS:
        raise HydranetError(
            f'{path} names the reader {reader!r}; known are {", ".join(sorted(READERS))}.'
        )
    dataset = READERS[reader](content, split, str(path))
    return DatasetInMemory(dataset) if in_memory else dataset


def open_folder(folder: Path, depth_unit: float = 0.001) -> Dataset:
    """
    Open a folder of samples in the generic layout, without a dataset file.

    The folder holds ``image/`` and, optionally, ``depth/`` (PNGs in steps of `depth_unit` metres),
    ``segmentation/`` (class ids), ``normals/``, ``pose/`` and ``camera-intrinsics.txt``.
    """
    content = {
        'name': folder.resolve().name,
        'root': str(folder),
        'splits': {'all': {}},
        'image': {'folder': IMAGE_FOLDER},
        'segmentation': {'label_set': None, 'optional': True},
        'depth': {
            'units_per_metre': 1 / depth_unit,
            'invalid': _SENSOR_INVALID,
            'optional': True,
        },
        'normals': {'optional': True},
    }
    return READERS['folders'](content, 'all', str(folder))
