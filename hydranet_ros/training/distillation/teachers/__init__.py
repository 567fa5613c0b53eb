# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers: networks that annotate images for ours to learn from; one module a kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from hydranet_ros.data.configuration import build, substitute
from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_path, read_yaml
from hydranet_ros.training.distillation.teachers.base import Annotation, Teacher
from hydranet_ros.training.distillation.teachers.tiled_views import Views

__all__ = [
    'KINDS',
    'Annotation',
    'Teacher',
    'TeacherFile',
    'Views',
    'load_teacher',
    'read_teacher_file',
]

KINDS = {
    'agreeing': 'hydranet_ros.training.distillation.teachers.agreeing',
    'bundle': 'hydranet_ros.training.distillation.teachers.bundle',
    'exported': 'hydranet_ros.training.distillation.teachers.exported',
    'huggingface': 'hydranet_ros.training.distillation.teachers.huggingface',
    'meter': 'hydranet_ros.training.distillation.teachers.meter',
    'motion': 'hydranet_ros.training.distillation.teachers.motion',
    'rtmonodepth': 'hydranet_ros.training.distillation.teachers.rtmonodepth',
}
"""
Kind of teacher to module. A module has ``Settings``, a dataclass of what a teacher file of that
kind says, and ``load(settings) -> Teacher``; it imports optional packages only in there.
"""


@dataclass(frozen=True)
class TeacherFile:
    """
    What a file in ``config/teachers`` says.

    Attributes
    ----------
    kind
        One of ``KINDS``.
    settings
        The ``Settings`` of that kind's module.
    about
        The file's name, and what it says of source and licence.

    """

    kind: str
    settings: Any
    about: dict[str, str]


def read_teacher_file(
    name_or_path: str | Path, variables: Mapping[str, str] | None = None
) -> TeacherFile:
    """
    Read and check a teacher's file without loading the teacher.

    Parameters
    ----------
    name_or_path
        The stem of a file in ``config/teachers``, or the path of a ``.yaml`` file.
    variables
        Values for ``${name}`` in the file.

    Raises
    ------
    HydranetError
        If the file is missing or wrong.

    """
    path = Path(name_or_path).expanduser()
    if path.suffix not in ('.yaml', '.yml'):
        path = config_path(f'teachers/{name_or_path}.yaml')
    content = substitute(read_yaml(path), variables or {}, str(path))
    content.pop('variables', None)
    told = ('source', 'license')
    about = {key: str(content.pop(key)) for key in told if key in content}
    kind, settings = _read_settings(content, str(path))
    return TeacherFile(kind, settings, {'name': path.stem, **about})


def _read_settings(content: Mapping[str, Any], where: str) -> tuple[str, Any]:
    """Return the kind of a teacher and its settings."""
    said = dict(content)
    kind = said.pop('kind', None)
    if kind not in KINDS:
        raise HydranetError(
            f'{where} names the kind of teacher {kind!r}; known are {", ".join(KINDS)}.'
        )
    return kind, build(import_module(KINDS[kind]).Settings, said, where)


def teacher_of(content: Mapping[str, Any], where: str) -> Teacher:
    """Load the teacher that a mapping describes, as found at ``where``."""
    kind, settings = _read_settings(content, where)
    teacher: Teacher = import_module(KINDS[kind]).load(settings)
    return teacher


def load_teacher(
    name_or_path: str | Path,
    variables: Mapping[str, str] | None = None,
    views: Views | None = None,
) -> Teacher:
    """
    Load a teacher.

    Parameters
    ----------
    name_or_path, variables
        As for :func:`read_teacher_file`.
    views
        How images are shown to it, in place of what the file says.

    Raises
    ------
    HydranetError
        If the file is missing or wrong, or the teacher cannot be loaded.

    """
    file = read_teacher_file(name_or_path, variables)
    settings = file.settings
    if views is not None:
        if not hasattr(settings, 'views'):
            raise HydranetError(f'A teacher of kind {file.kind} sees whole images; drop views.')
        settings = replace(settings, views=views)
    teacher: Teacher = import_module(KINDS[file.kind]).load(settings)
    teacher.about = file.about
    return teacher
