# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Play a bag to the perception node and evaluate its results until the bag ends."""

from launch import LaunchContext, LaunchDescription
from launch.actions import EmitEvent, OpaqueFunction
from launch.events import Shutdown
from launch_ros.substitutions import ExecutableInPackage

from hydranet_ros.launching.launch_actions import (
    argument_values,
    declare_arguments,
    node_action,
    on_end,
)
from hydranet_ros.launching.process_specs import PACKAGE, REPLAY_ARGUMENTS
from hydranet_ros.launching.replay_processes import planned_replay


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments and start the processes."""
    arguments = declare_arguments(REPLAY_ARGUMENTS)
    return LaunchDescription([*arguments, OpaqueFunction(function=start_processes)])


def start_processes(context: LaunchContext) -> list:
    """Convert the arguments to launch actions; when the player ends, all processes are stopped."""
    hydranet = ExecutableInPackage('hydranet', PACKAGE).perform(context)
    replay = planned_replay(hydranet, argument_values(context, REPLAY_ARGUMENTS))
    end = EmitEvent(event=Shutdown(reason='the bag has ended'))
    player, evaluator = node_action(replay.player), node_action(replay.evaluator)
    others = [node_action(spec) for spec in replay.others]
    # If one of these ends, the launch ends; rviz may be closed at any time.
    needed = [a for a, s in zip(others, replay.others, strict=True) if s.package == PACKAGE]
    handlers = [on_end(player, [end]), *(on_end(action) for action in (*needed, evaluator))]
    return [*handlers, *others, evaluator, player]
