# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Convert process specs to launch actions, for the launch files.

This is the only module that needs the packages ``launch`` and ``launch_ros``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch import LaunchContext
from launch.action import Action
from launch.actions import DeclareLaunchArgument, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_specs import ProcessSpec

Arguments = Mapping[str, tuple[str, str]]
"""Maps the name of a launch argument to its default and description."""

RESPAWN_DELAY = 2.0
"""Seconds before a node that has ended is started again."""


def declare_arguments(arguments: Arguments) -> list[DeclareLaunchArgument]:
    """Return the actions that declare launch arguments."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in arguments.items()
    ]


def argument_values(context: LaunchContext, arguments: Arguments) -> dict[str, str]:
    """Return the values of launch arguments: the user's, else the defaults."""
    return {name: LaunchConfiguration(name).perform(context) for name in arguments}


def node_action(spec: ProcessSpec) -> Node:
    """Convert a process spec to a launch action."""
    parameters: list[Any] = [str(path) for path in spec.parameter_files]
    if spec.parameters:
        parameters.append(dict(spec.parameters))
    timeouts = {}
    if spec.shutdown_timeout is not None:
        timeouts = dict.fromkeys(
            ('sigterm_timeout', 'sigkill_timeout'), str(spec.shutdown_timeout)
        )
    return Node(
        package=spec.package,
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        parameters=parameters,
        remappings=list(spec.remappings),
        arguments=list(spec.arguments),
        ros_arguments=spec.log_arguments,
        respawn=spec.respawn,
        respawn_delay=RESPAWN_DELAY,
        output='screen',
        **timeouts,
    )


def on_end(node: Node, actions: list[Action] | None = None) -> RegisterEventHandler:
    """
    Run ``actions`` when a node exits with status 0.

    If the node exits with another status, or ``actions`` is None, the launch ends with an error.
    """

    def handle(event: ProcessExited, context: LaunchContext) -> list[Action] | None:
        if context.is_shutdown:
            return None
        if actions is None or event.returncode != 0:
            # The launch prints this error, ends all processes, and exits with status 1.
            raise HydranetError(f'{event.process_name} ended with status {event.returncode}.')
        return actions

    return RegisterEventHandler(OnProcessExit(target_action=node, on_exit=handle))
