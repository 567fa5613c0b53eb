# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters given at the start of a node: accept integers for doubles, report unknown names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

# Prefix of parameters that publishers and subscriptions declare when they are created.
_QOS_PREFIX = 'qos_overrides.'


def declare_parameter(
    node: Node,
    name: str,
    default: Any,
    descriptor: ParameterDescriptor,
    *,
    ignore_override: bool = False,
) -> Any:
    """Declare a parameter and return its value; an integer given for a double is converted."""
    given = node._parameter_overrides.get(name)
    if isinstance(default, float) and given is not None and type(given.value) is int:
        default, ignore_override = float(given.value), True
    return node.declare_parameter(name, default, descriptor, ignore_override=ignore_override).value


def warn_about_unknown_parameters(node: Node, known: Sequence[str]) -> None:
    """Log the parameters that the node was started with and has not declared."""
    for name in node._parameter_overrides:
        if not node.has_parameter(name) and not name.startswith(_QOS_PREFIX):
            nearest = get_close_matches(name, known, n=1)
            hint = f'; did you mean {nearest[0]!r}?' if nearest else '.'
            node.get_logger().warning(f'There is no parameter {name!r}: it is ignored{hint}')
