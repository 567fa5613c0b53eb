# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers: networks that annotate images for ours to learn from; one module a kind."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from importlib import import_module
from pathlib import Path

from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_path
from hydranet_ros.training.configuration import build, read_yaml, substitute
from hydranet_ros.training.teachers.base import Annotation, Teacher
from hydranet_ros.training.teachers.views import Views

__all__ = ['KINDS', 'Annotation', 'Teacher', 'Views', 'load_teacher']

KINDS = {
    'bundle': 'hydranet_ros.training.teachers.bundle',
    'exported': 'hydranet_ros.training.teachers.exported',
    'huggingface': 'hydranet_ros.training.teachers.huggingface',
    'rtmonodepth': 'hydranet_ros.training.teachers.rtmonodepth',
}
"""
Kind of teacher to module. A module has ``Settings``, a dataclass of what a teacher file of that
kind says, and ``load(settings) -> Teacher``; it imports optional packages only in there.
"""


def load_teacher(
    name_or_path: str | Path,
    variables: Mapping[str, str] | None = None,
    views: Views | None = None,
) -> Teacher:
    """
    Load a teacher from its file.

    Parameters
    ----------
    name_or_path
        The stem of a file in ``config/teachers``, or the path of a ``.yaml`` file.
    variables
        Values for ``${name}`` in the file.
    views
        How images are shown to it, in place of what the file says.

    Raises
    ------
    HydranetError
        If the file is missing or wrong, or the teacher cannot be loaded.

    """
    path = Path(name_or_path).expanduser()
    if path.suffix not in ('.yaml', '.yml'):
        path = config_path(f'teachers/{name_or_path}.yaml')
    content = substitute(read_yaml(path), variables or {}, str(path))
    kind = content.pop('kind', None)
    if kind not in KINDS:
        raise HydranetError(
            f'{path} names the kind of teacher {kind!r}; known are {", ".join(KINDS)}.'
        )
    for about in ('variables', 'source', 'license'):
        content.pop(about, None)
    module = import_module(KINDS[kind])
    settings = build(module.Settings, content, str(path))
    if views is not None:
        if not hasattr(settings, 'views'):
            raise HydranetError(f'A teacher of kind {kind} sees whole images; leave views out.')
        settings = dataclasses.replace(settings, views=views)
    teacher: Teacher = module.load(settings)
    return teacher
