# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the files that come with the package lie: config, launch and models."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from hydranet_ros.errors import HydranetError

PACKAGE = 'hydranet_ros'
DEFAULT_MODEL = 'street_kitchen.safetensors'


@lru_cache(maxsize=1)
def share_directory() -> Path:
    """
    Return the directory that holds ``config/``, ``launch/`` and ``models/``.

    It is the checkout for a source tree, an editable or a symlink install, and
    ``<prefix>/share/hydranet_ros`` for a colcon or virtual-environment install; both are found
    from this file's place, so that no ament index is needed.

    Raises
    ------
    HydranetError
        If the package's files are not installed.

    """
    here = Path(__file__).resolve()
    checkout = here.parents[1]
    if (checkout / 'package.xml').is_file():
        return checkout
    for prefix in here.parents:
        installed = prefix / 'share' / PACKAGE
        if installed.is_dir():
            return installed
    raise HydranetError(
        f'The files of {PACKAGE} (config, launch, models) are not installed beside {here.parent}; '
        'install the package with colcon or pip.'
    )


def config_path(name: str) -> Path:
    """
    Return the path of a file below ``config/``, e.g. ``labels/kitti6.yaml``.

    Raises
    ------
    HydranetError
        If there is no such file.

    """
    path = share_directory() / 'config' / name
    if not path.is_file():
        raise HydranetError(f'There is no file config/{name} in {share_directory()}.')
    return path


def model_path(model: str | Path) -> Path:
    """
    Resolve a model given as a path or as the name of a shipped one.

    Parameters
    ----------
    model
        The path of a bundle, or a name in ``models/`` with or without its suffix.

    Raises
    ------
    HydranetError
        If it is neither.

    """
    given = Path(model).expanduser()
    if given.is_file():
        return given
    shipped = share_directory() / 'models'
    if given.name == str(model):
        for candidate in (shipped / given.name, shipped / f'{given.name}.safetensors'):
            if candidate.is_file():
                return candidate
    names = ', '.join(sorted(p.stem for p in shipped.glob('*.safetensors'))) or 'none'
    raise HydranetError(
        f'There is no model {str(model)!r}: give the path of a model file or the name of a '
        f'shipped one ({names}).'
    )


def default_model() -> Path | None:
    """Return the path of the model used where none is named, or None if none is shipped."""
    path = share_directory() / 'models' / DEFAULT_MODEL
    return path if path.is_file() else None
