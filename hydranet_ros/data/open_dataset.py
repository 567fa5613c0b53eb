# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Open a dataset by its YAML file, which names its reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hydranet_ros.data.configuration import substitute
from hydranet_ros.data.readers import READERS
from hydranet_ros.data.sample import Dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_path, read_yaml


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
