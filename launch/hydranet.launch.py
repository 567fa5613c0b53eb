# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Start the perception node, and rviz on request."""

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import Node

from hydranet_ros.launching.launch_actions import argument_values, declare_arguments, node_action
from hydranet_ros.launching.process_specs import LAUNCH_ARGUMENTS, launched_processes


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the processes."""
    arguments = declare_arguments(LAUNCH_ARGUMENTS)
    return LaunchDescription([*arguments, OpaqueFunction(function=start_processes)])


def start_processes(context: LaunchContext) -> list[Node]:
    """Convert the arguments to launch actions."""
    values = argument_values(context, LAUNCH_ARGUMENTS)
    return [node_action(spec) for spec in launched_processes(values)]
