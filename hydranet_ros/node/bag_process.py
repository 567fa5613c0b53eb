# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the bag player and the bag recorder share: parameters, topic names, message classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hydranet_ros.errors import HydranetError

ParameterTable = Mapping[str, tuple[Any, str]]
"""Name -> (default, or `Parameter.Type.STRING_ARRAY` for an empty list of names; description)."""


def declare_parameters(node: Node, table: ParameterTable) -> dict[str, Any]:
    """
    Declare read-only parameters.

    Returns
    -------
    dict
        Their values; lists of names as tuples.

    Raises
    ------
    HydranetError
        If a value that was given has the wrong type.

    """
    values = {}
    for name, (default, description) in table.items():
        descriptor = ParameterDescriptor(description=description, read_only=True)
        try:
            value = node.declare_parameter(name, default, descriptor).value
        except InvalidParameterTypeException as error:
            raise HydranetError(f'The parameter {name} has the wrong type: {error}') from error
        values[name] = tuple(value or ()) if default is Parameter.Type.STRING_ARRAY else value
    return values


def required(values: Mapping[str, Any], name: str) -> str:
    """Return a parameter that has no useful default, or say that it is missing."""
    if not values[name]:
        raise HydranetError(f'The parameter {name} is missing: --ros-args -p {name}:=….')
    return str(values[name])


def absolute_names(node: Node, names: Sequence[str]) -> tuple[str, ...]:
    """Resolve topic names as ROS does, with the node's namespace and remappings."""
    return tuple(node.resolve_topic_name(name) for name in names)


def message_class(message_type: str) -> Any | None:
    """Return the class of a message type, None where its package is not installed."""
    package, _, name = message_type.partition('/msg/')
    try:
        return getattr(import_module(f'{package}.msg'), name, None)
    except ImportError:
        return None


def markdown_table(table: ParameterTable) -> str:
    """Return a table of parameters for docs/demo.md."""
    rows = ['| Parameter | Default | Meaning |', '|---|---|---|']
    for name, (default, description) in table.items():
        shown = '[]' if default is Parameter.Type.STRING_ARRAY else str(default).lower()
        rows.append(f'| `{name}` | {shown and f"`{shown}`"} | {description} |')
    return '\n'.join(rows)
