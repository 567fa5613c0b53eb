# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers annotate images for our networks to learn from; one module per kind of teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from hydranet_ros.data.configuration import build, substitute
from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_file, read_yaml
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

KINDS = (
    'agreeing',
    'bundle',
    'exported',
    'huggingface',
    'measured',
    'meter',
    'motion',
    'rtmonodepth',
)
"""
Each kind is a module of this package, with a dataclass ``Settings`` (the content of its teacher
files) and a function ``load(settings) -> Teacher``. Only ``load`` may import optional packages.
"""


@dataclass(frozen=True)
class TeacherFile:
    """The content of a file in ``config/teachers``."""

    kind: str  # one of KINDS
    settings: Any  # ``Settings`` of the kind's module
    about: dict[str, str]  # name of the file, its source and licence


def read_teacher_file(
    name_or_path: str | Path, variables: Mapping[str, str] | None = None
) -> TeacherFile:
    """
    Read and check a teacher's file without loading the teacher.

    ``variables`` are values for ``${name}`` in the file.
    """
    path = config_file('teachers', name_or_path)
    content = substitute(read_yaml(path), variables or {}, str(path))
    content.pop('variables', None)
    about = {'name': path.stem}
    about |= {key: str(content.pop(key)) for key in ('source', 'license') if key in content}
    kind, settings = _read_settings(content, str(path))
    return TeacherFile(kind, settings, about)


def _read_settings(content: Mapping[str, Any], where: str) -> tuple[str, Any]:
    """Return the kind of a teacher and its settings."""
    settings = dict(content)
    kind = settings.pop('kind', None)
    if kind not in KINDS:
        raise HydranetError(
            f'{where} has the unknown kind of teacher {kind!r}; known are {", ".join(KINDS)}.'
        )
    return kind, build(_module(kind).Settings, settings, where)


def _module(kind: str) -> Any:
    return import_module(f'{__name__}.{kind}')


def teacher_of(content: Mapping[str, Any], where: str) -> Teacher:
    """Load the teacher described by a mapping; ``where`` names the mapping in errors."""
    kind, settings = _read_settings(content, where)
    teacher: Teacher = _module(kind).load(settings)
    return teacher


def load_teacher(
    name_or_path: str | Path,
    variables: Mapping[str, str] | None = None,
    views: Views | None = None,
) -> Teacher:
    """Load a teacher by its file or name; ``views`` replaces the views of the file."""
    file = read_teacher_file(name_or_path, variables)
    settings = file.settings
    if views is not None:
        if not hasattr(settings, 'views'):
            raise HydranetError(
                f'A teacher of kind {file.kind} sees whole images; remove `views`.'
            )
        settings = replace(settings, views=views)
    teacher: Teacher = _module(file.kind).load(settings)
    teacher.about = file.about
    return teacher
