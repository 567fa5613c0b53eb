# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""YAML files with variables and overrides, converted to dataclasses and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
import dataclasses
from difflib import get_close_matches
import os
from pathlib import Path
import re
import types
from typing import Any, get_args, get_origin, get_type_hints, TypeVar, Union

import yaml

from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_file, read_yaml

_VARIABLE = re.compile(r'\$\{(\w+)\}')
_ENVIRONMENT_PREFIX = 'HYDRANET_'
_FILE_SUFFIXES = ('.yaml', '.yml', '.safetensors', '.pt', '.pth')
"""Of files that configuration files name: others, and models to start from."""
_SIMILAR, _MISSPELT = 0.6, 0.8  # smallest similarity of names; 1 for equal names

T = TypeVar('T')


def substitute(
    content: Mapping[str, Any], variables: Mapping[str, str], source: str
) -> dict[str, Any]:
    """
    Replace ``${name}`` in all strings.

    A name's value is looked up in the argument ``variables``, in the environment as
    ``HYDRANET_NAME`` and in the content's own ``variables``, in this order; values may hold
    variables themselves. Raises HydranetError if a variable has no value.

    """
    defaults = own_variables(content)

    def value_of(name: str, within: tuple[str, ...] = ()) -> str:
        text = variables.get(name, defaults.get(name))
        if text is None or name in within:
            text = os.environ.get(_ENVIRONMENT_PREFIX + name.upper())
            if text is None:
                raise HydranetError(
                    f'{source} needs the variable {name!r}: give {name}=VALUE or set '
                    f'{_ENVIRONMENT_PREFIX}{name.upper()}.'
                )
            return text
        return _VARIABLE.sub(lambda match: value_of(match[1], (*within, name)), str(text))

    def walk(node: Any) -> Any:
        if isinstance(node, str):
            return _VARIABLE.sub(lambda match: value_of(match[1]), node)
        if isinstance(node, Mapping):
            return {
                key: value if key == 'variables' else walk(value) for key, value in node.items()
            }
        if isinstance(node, list):
            return [walk(value) for value in node]
        return node

    return walk(content)


def beside(value: str, source: Path) -> str:
    """
    Resolve a path in a configuration file, relative to that file.

    A value is returned unchanged if it is absolute, has variables, or does not exist there.
    """
    candidate = source.parent / value
    if not value or '$' in value or Path(value).is_absolute() or not candidate.exists():
        return value
    if Path(value).exists() and Path(value).samefile(candidate):
        return value
    return str(candidate.resolve())


def with_files_beside(content: Any, source: Path) -> Any:
    """Return YAML content in which the files that it names are resolved, see `beside`."""
    if isinstance(content, Mapping):
        return {key: with_files_beside(value, source) for key, value in content.items()}
    if isinstance(content, list):
        return [with_files_beside(value, source) for value in content]
    if isinstance(content, str) and Path(content).suffix in _FILE_SUFFIXES:
        return beside(content, source)
    return content


def own_variables(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the file's own variables; the environment overrides their values."""
    return {
        str(name): os.environ.get(_ENVIRONMENT_PREFIX + str(name).upper(), str(value))
        for name, value in (content.get('variables') or {}).items()
    }


def variables_in(content: Any) -> set[str]:
    """Return the names of the variables that a file declares or uses."""
    if isinstance(content, Mapping):
        declared = content.get('variables')
        own = {str(name) for name in declared} if isinstance(declared, Mapping) else set()
        return own.union(*map(variables_in, content.values()))
    if isinstance(content, list):
        return set().union(*map(variables_in, content))
    return set(_VARIABLE.findall(content)) if isinstance(content, str) else set()


def variables_in_files(files: Iterable[tuple[str, str]]) -> set[str]:
    """Return the variables of files, each given as a folder in ``config/`` and a name or path."""
    used: set[str] = set()
    for folder, name in files:
        with suppress(HydranetError):  # whoever opens the file reports that it is missing
            used |= variables_in(read_yaml(config_file(folder, name)))
    return used


def check_overrides(
    overrides: Sequence[str], cls: type, used: Collection[str], source: str
) -> None:
    """
    Raise HydranetError if an override seems to be misspelt: it would have no effect.

    An override counts as misspelt if its key is unknown but resembles a field of ``cls`` or a used
    variable. Other unused variables are allowed, so that commands for several files can set the
    same variables.
    """
    known = {*(field.name for field in dataclasses.fields(cls)), *used}
    for key in (override.partition('=')[0] for override in overrides):
        if '.' not in key and key not in known and (hint := _nearest(key, known, _MISSPELT)):
            raise HydranetError(
                f'{key!r} is neither a key of {source} nor a variable in it or its datasets{hint}.'
            )


def _nearest(name: str, known: Collection[str], similarity: float) -> str:
    """Return ``; did you mean NAME`` for the most similar known name; empty if none is similar."""
    found = get_close_matches(name, sorted(known), n=1, cutoff=similarity)
    return f'; did you mean {found[0]!r}' if found else ''


def apply_overrides(
    content: dict[str, Any], overrides: Sequence[str], source: str, cls: type
) -> None:
    """
    Set values in ``content``, given as ``key=value`` or ``section.key=value`` with a YAML value.

    A key that has no section and is not a field of the dataclass ``cls`` sets a variable. Raises
    HydranetError if an override has no ``=``, or its section is not a mapping.

    """
    known = {field.name for field in dataclasses.fields(cls)}
    for override in overrides:
        key, equals, text = override.partition('=')
        if not equals:
            raise HydranetError(f'{override!r} is not an override: write key=value.')
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        *sections, last = key.split('.')
        if not sections and last not in known:
            content.setdefault('variables', {})[last] = text
            continue
        node: Any = content
        for section in sections:
            node = node.setdefault(section, {})
            if not isinstance(node, dict):
                raise HydranetError(f'{source} has no section {section!r}, which {key!r} names.')
        node[last] = value


def read_with_overrides(
    path: Path, overrides: Sequence[str], cls: type
) -> tuple[dict[str, Any], dict[str, str], set[str]]:
    """
    Read a file for the dataclass ``cls`` and apply overrides, see `apply_overrides`.

    Returns the content without ``variables``, in which variables are not yet replaced; the values
    of the variables; and the names of those that the file declares or uses.
    """
    content = with_files_beside(read_yaml(path), path)
    used = variables_in(content)
    content['variables'] = own_variables(content)
    apply_overrides(content, overrides, str(path), cls)
    return content, content.pop('variables'), used


def build(cls: type[T], content: Any, where: str) -> T:
    """
    Build a dataclass from plain YAML values, recursively and strictly.

    The fields of ``cls`` may be plain types, tuples, dicts and dataclasses. ``where`` names the
    content in errors. Raises HydranetError if a key is unknown or missing, or a value is of the
    wrong type.

    """
    if not isinstance(content, Mapping):
        raise HydranetError(f'{where} must be a mapping, not {content!r}.')
    hints = get_type_hints(cls)
    every = dataclasses.fields(cls)  # type: ignore[arg-type]
    fields = {field.name: field for field in every if field.init}
    for key in content:
        if key not in fields:
            raise HydranetError(
                f'{where} has no key {key!r}; it has: '
                f'{", ".join(fields)}{_nearest(str(key), fields, _SIMILAR)}.'
            )
    values = {key: _convert(hints[key], value, f'{where}.{key}') for key, value in content.items()}
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and name not in values:
            raise HydranetError(f'{where} lacks the key {name!r}.')
    return cls(**values)


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        return None if value is None else _convert(options[0], value, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        arguments = get_args(kind)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        if len(arguments) == len(value):
            return tuple(
                _convert(argument, item, f'{where}[{index}]')
                for index, (argument, item) in enumerate(zip(arguments, value, strict=True))
            )
    elif origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if isinstance(value, Mapping):
            key_kind, value_kind = get_args(kind)
            return {
                _convert(key_kind, key, where): _convert(value_kind, item, f'{where}.{key}')
                for key, item in value.items()
            }
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif kind is float and isinstance(value, str):
        # YAML 1.1 reads 1e-3, without a point, as a string.
        try:
            return float(value)
        except ValueError:
            pass
    elif isinstance(kind, type) and type(value) is kind:
        return value
    name = getattr(kind, '__name__', str(kind)) if origin is None else str(kind)
    raise HydranetError(f'{where} must be of type {name}, not {value!r}.')


def without_paths(node: Any) -> Any:
    """Return plain values with paths cut to file names, since folders differ between machines."""
    if isinstance(node, dict):
        return {key: without_paths(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [without_paths(value) for value in node]
    if isinstance(node, str) and node.startswith(('/', '~', '.')):
        return node.rpartition('/')[2]
    return node
