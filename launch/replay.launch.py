# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Play a bag to the perception node, evaluate it, and end with the bag."""

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from hydranet_ros.deployment import ProcessSpec, REPLAY_ARGUMENTS
from hydranet_ros.evaluation.replay import plan_replay


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, and start what they ask for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in REPLAY_ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start_processes)])


def start_processes(context: LaunchContext) -> list:
    """Turn the arguments into launch actions; the player's end is the end of all."""
    values = {name: LaunchConfiguration(name).perform(context) for name in REPLAY_ARGUMENTS}
    replay = plan_replay(values)
    player = node_action(replay.player)
    end = OnProcessExit(
        target_action=player, on_exit=[EmitEvent(event=Shutdown(reason='the bag has ended'))]
    )
    others = [node_action(spec) for spec in (*replay.others, replay.evaluator)]
    return [RegisterEventHandler(end), *others, player]


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
