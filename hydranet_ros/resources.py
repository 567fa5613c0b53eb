# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Find the files that come with the package, and record which files were read."""

from __future__ import annotations

from functools import lru_cache
import hashlib
from pathlib import Path
from typing import Any

import yaml

from hydranet_ros.errors import HydranetError

PACKAGE = 'hydranet_ros'
DEFAULT_MODEL = 'street_kitchen.safetensors'
_FILES_READ: dict[Path, str] = {}


@lru_cache(maxsize=1)
def share_directory() -> Path:
    """
    Return the directory that holds ``config/``, ``launch/`` and ``models/``.

    For a source tree and for editable and symlink installs it is the checkout; for other installs
    with colcon or pip it is ``<prefix>/share/hydranet_ros``. Both are found from the path of this
    file, so no ament index is needed.
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
        f'The folders config, launch and models of {PACKAGE} are not installed beside '
        f'{here.parent}; install the package with colcon or pip.'
    )


def config_path(name: str) -> Path:
    """Return the path of a file below ``config/``, e.g. ``labels/kitti6.yaml``."""
    path = share_directory() / 'config' / name
    if not path.is_file():
        raise HydranetError(f'There is no file config/{name} in {share_directory()}.')
    return path


def config_file(folder: str, name_or_path: str | Path) -> Path:
    """Return the path of a YAML file, given as a path or as a name in a folder of ``config/``."""
    path = Path(name_or_path).expanduser()
    if path.suffix in ('.yaml', '.yml'):
        return path
    return config_path(f'{folder}/{name_or_path}.yaml')


def model_path(model: str | Path) -> Path:
    """Return the path of a model file, given as a path or as the name of a shipped model."""
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
        f'shipped model ({names}).'
    )


def default_model() -> Path | None:
    """Return the path of the default model, None if no model is shipped."""
    path = share_directory() / 'models' / DEFAULT_MODEL
    return path if path.is_file() else None


def noted(path: str | Path) -> Path:
    """Record a file's hash for :func:`files_read` and return its path."""
    path = Path(path)
    if path.is_file():
        _FILES_READ[path.resolve()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return path


def files_read() -> dict[Path, str]:
    """Return the configuration and weights files read by this process, with their SHA-256."""
    return dict(sorted(_FILES_READ.items()))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file; raises HydranetError unless it is readable and holds a mapping."""
    try:
        content = yaml.safe_load(noted(path).read_text(encoding='utf-8'))
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror or error}.') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HydranetError(f'{path} is not valid YAML ({error}).'.replace('\n', ' ')) from error
    if not isinstance(content, dict):
        raise HydranetError(f'{path} does not hold a mapping of keys to values.')
    return content
