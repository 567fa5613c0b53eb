# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Start the perception node, and rviz if asked."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from hydranet_ros.deployment import LAUNCH_ARGUMENTS, launched_processes, ProcessSpec


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in LAUNCH_ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_processes)])


def start_processes(context: LaunchContext) -> list[Node]:
    """Turn the arguments into launch actions."""
    values = {name: LaunchConfiguration(name).perform(context) for name in LAUNCH_ARGUMENTS}
    return [node_action(spec) for spec in launched_processes(values)]


def node_action(spec: ProcessSpec) -> Node:
    """Turn the description of a process into a launch action."""
    parameters = [str(path) for path in spec.parameter_files]
    if spec.parameters:
        parameters.append(dict(spec.parameters))
    return Node(
        package=spec.package,
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        parameters=parameters,
        remappings=list(spec.remappings),
        arguments=list(spec.arguments),
        ros_arguments=['--log-level', spec.log_level],
        additional_env=dict(spec.environment),
        output='screen',
    )
