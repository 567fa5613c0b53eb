# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Declare a node's parameters from the table in `parameters.py`, and validate their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from hydranet_ros.errors import HydranetError
from hydranet_ros.node.distributions import before_parameters_are_set
from hydranet_ros.node.given_parameters import declare_parameter, warn_about_unknown_parameters
from hydranet_ros.node.perception.parameters import (
    Change,
    Parameter,
    PARAMETERS,
    Settings,
    user_parameters,
    Value,
)


class DeclaredParameters:
    """
    The parameters of a node.

    While ``is_configured()`` is true, only parameters with `Change.LIVE` can change. ``apply`` is
    called with valid new settings before they are stored, and can raise HydranetError to reject
    them. Raises HydranetError if an initial value has the wrong type, is out of range or
    contradicts another value.
    """

    def __init__(
        self, node: Node, is_configured: Callable[[], bool], apply: Callable[[Settings], None]
    ) -> None:
        self._node = node
        self._is_configured = is_configured
        self._apply = apply
        self._filling = False
        try:
            for row in PARAMETERS.values():
                declare_parameter(
                    node,
                    row.name,
                    _ros_value(row.default),
                    parameter_descriptor(row),
                    ignore_override=row.change is Change.NEVER,
                )
        except ParameterException as error:
            raise HydranetError(f'A parameter is invalid: {error}') from error
        self._settings = Settings.from_values(self._values())
        warn_about_unknown_parameters(node, [row.name for row in user_parameters()])
        before_parameters_are_set(node, _integers_to_doubles)
        node.add_on_set_parameters_callback(self._on_set)

    @property
    def settings(self) -> Settings:
        """Return the current values, which are immutable."""
        return self._settings

    def fill(self, name: str, value: Value) -> None:
        """Set a parameter that is read-only for users."""
        self._filling = True
        try:
            self._node.set_parameters([RosParameter(name, value=_ros_value(value))])
        finally:
            self._filling = False

    def clear(self, name: str) -> None:
        """Reset a parameter that is read-only for users to its default."""
        self.fill(name, PARAMETERS[name].default)

    def _values(self) -> dict[str, Any]:
        """Return the values of the parameters that users can set, by name."""
        return {row.name: self._node.get_parameter(row.name).value for row in user_parameters()}

    def _on_set(self, changes: Sequence[RosParameter]) -> SetParametersResult:
        """Accept or reject a set of changes."""
        ours = {p.name: p.value for p in changes if p.name in PARAMETERS}
        values = self._values()
        try:
            for name, value in ours.items():
                if value != values.get(name):
                    self._check_changeable(PARAMETERS[name])
            user_changes = {name: value for name, value in ours.items() if name in values}
            settings = Settings.from_values({**values, **user_changes})
            self._apply(settings)
        except HydranetError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._settings = settings
        return SetParametersResult(successful=True)

    def _check_changeable(self, row: Parameter) -> None:
        """Raise HydranetError if a parameter cannot be set now."""
        if row.change is Change.NEVER and not self._filling:
            raise HydranetError(f'Parameter {row.name!r} comes from the model and cannot be set.')
        if row.change is Change.UNCONFIGURED and self._is_configured():
            name = self._node.get_fully_qualified_name()
            raise HydranetError(
                f'Parameter {row.name!r} cannot change while the node is configured: deactivate '
                f'and clean it up first (ros2 lifecycle set {name} deactivate, then cleanup).'
            )


def _integers_to_doubles(changes: list[RosParameter]) -> list[RosParameter]:
    """Convert integers to doubles in the changes of parameters whose default is a double."""
    doubles = {row.name for row in user_parameters() if isinstance(row.default, float)}
    return [
        RosParameter(p.name, value=float(p.value))
        if p.name in doubles and type(p.value) is int
        else p
        for p in changes
    ]


def _ros_value(value: Value) -> Any:
    """Convert a value to what rclpy accepts on every distribution: lists instead of tuples."""
    return list(value) if isinstance(value, tuple) else value


def parameter_descriptor(row: Parameter) -> ParameterDescriptor:
    """Return the parameter descriptor of a row of the table."""
    descriptor = ParameterDescriptor(
        description=row.description,
        additional_constraints=f'Can be set {row.change.value}.'
        + (f' Allowed: {row.allowed}.' if row.choices else ''),
        read_only=row.change is Change.START,
    )
    if isinstance(row.default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=row.minimum, to_value=row.maximum)
        ]
    elif isinstance(row.default, int) and not isinstance(row.default, bool):
        descriptor.integer_range = [
            IntegerRange(from_value=int(row.minimum), to_value=int(row.maximum))
        ]
    return descriptor
