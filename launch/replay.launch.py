# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Play a bag to the perception node and evaluate its results until the bag ends."""

from launch import LaunchContext, LaunchDescription
from launch.actions import EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown

from hydranet_ros.evaluation.replay_plan import plan_replay
from hydranet_ros.launching.launch_actions import argument_values, declare_arguments, node_action
from hydranet_ros.launching.process_specs import REPLAY_ARGUMENTS


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the processes."""
    arguments = declare_arguments(REPLAY_ARGUMENTS)
    return LaunchDescription([*arguments, OpaqueFunction(function=start_processes)])


def start_processes(context: LaunchContext) -> list:
    """Convert the arguments to launch actions; when the player ends, all processes are stopped."""
    replay = plan_replay(argument_values(context, REPLAY_ARGUMENTS))
    player = node_action(replay.player)
    end = OnProcessExit(
        target_action=player, on_exit=[EmitEvent(event=Shutdown(reason='the bag has ended'))]
    )
    others = [node_action(spec) for spec in (*replay.others, replay.evaluator)]
    return [RegisterEventHandler(end), *others, player]
