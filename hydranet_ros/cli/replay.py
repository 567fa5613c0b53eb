# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet replay``: play a bag to the node over ROS 2, and evaluate the node meanwhile."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import sigterm_as_interrupt
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.launching.replay_processes import Replay

HELP = 'play a bag with ground truth to the perception node over ROS 2, and evaluate its results'

# Seconds allowed per second of the replay, for a large model on a busy machine.
_SECONDS_PER_SECOND = 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the launch file."""
    from hydranet_ros.launching.process_specs import REPLAY_ARGUMENTS
    from hydranet_ros.launching.replay_processes import REPLAY_FLAGS

    parser.add_argument('bag', help=REPLAY_ARGUMENTS['bag'][1])
    for name, (default, description) in REPLAY_ARGUMENTS.items():
        if name == 'bag':
            continue
        option = f'--{name.replace("_", "-")}'
        shown = f'{description} (default: {default})' if default else description
        if name in REPLAY_FLAGS:
            parser.add_argument(
                option,
                action=argparse.BooleanOptionalAction,
                default=default == 'true',
                help=description,
            )
        else:
            parser.add_argument(option, default=default, help=shown)
    parser.add_argument(
        '--plan',
        action='store_true',
        help='print the processes as JSON instead of starting them, for replay.launch.py',
    )


def run(arguments: argparse.Namespace) -> int:
    """Start the processes, wait for the end of the bag, and print the report."""
    from hydranet_ros.evaluation.bag_report import report_place
    from hydranet_ros.evaluation.replay_plan import plan_replay
    from hydranet_ros.launching.process_specs import REPLAY_ARGUMENTS
    from hydranet_ros.launching.replay_processes import REPLAY_FLAGS

    values = {name: getattr(arguments, name) for name in REPLAY_ARGUMENTS}
    values = {k: str(v).lower() if k in REPLAY_FLAGS else str(v) for k, v in values.items()}
    replay = plan_replay(values)
    if arguments.plan:
        print(replay.to_json())
        return 0
    if find_spec('rclpy') is None:
        raise HydranetError(
            'A replay needs ROS 2: source your distribution, or get one from PyPI with make env; '
            'hydranet evaluate-bag evaluates a bag without ROS.'
        )
    output = Path(arguments.output)
    with TemporaryDirectory(prefix='hydranet_replay_') as name:
        _play(replay, Path(name), endless=arguments.loop)
    print((output / 'report.md').read_text(encoding='utf-8'))
    print(f'Report: {report_place(output)}')
    return 0


def _play(replay: Replay, folder: Path, *, endless: bool) -> None:
    """Run the processes in a separate ROS graph until the report is written."""
    from hydranet_ros.evaluation.replay_plan import REPORT_PATIENCE, STARTUP
    from hydranet_ros.launching.process_group import private_graph_environment, ProcessGroup

    try:
        with (
            sigterm_as_interrupt(),
            ProcessGroup(folder, private_graph_environment(folder)) as group,
        ):
            for spec in replay.others:
                group.start(spec)
            evaluator = group.start(replay.evaluator)
            player = group.start(replay.player)
            patience = STARTUP + _SECONDS_PER_SECOND * (1 + replay.duration)
            try:
                group.wait(player, timeout=float('inf') if endless else patience)
                print(player.last_lines())
            finally:
                # Keep what was measured even after Ctrl-C, which usually ends a looped replay.
                evaluator.popen.terminate()
                group.wait(evaluator, timeout=REPORT_PATIENCE)
    except KeyboardInterrupt:
        print('Interrupted: the report contains what was measured until then.')
