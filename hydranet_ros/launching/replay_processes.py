# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The processes of a replay, and how a launch file obtains them.

``ros2 launch`` runs in the system's Python, which may lack the packages that read bags and models.
So the launch file runs ``hydranet replay --plan``, whose interpreter has these packages, and reads
its output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_specs import is_true, ProcessSpec, REPLAY_ARGUMENTS

REPLAY_FLAGS = {
    name for name, (value, _) in REPLAY_ARGUMENTS.items() if value in ('true', 'false')
}
"""Arguments that are true or false."""


@dataclass(frozen=True)
class Replay:
    """The processes of a replay."""

    player: ProcessSpec  # the replay ends when the player ends
    evaluator: ProcessSpec  # writes the report when it is asked to end
    others: tuple[ProcessSpec, ...]  # node, recorder, rviz
    duration: float  # seconds, at the rate of the replay

    @property
    def processes(self) -> tuple[ProcessSpec, ...]:
        """Return all processes, the player last."""
        return (*self.others, self.evaluator, self.player)

    def to_json(self) -> str:
        """Return all fields as JSON."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Replay:
        """Read the result of `to_json`."""
        content = json.loads(text)
        player, evaluator = (_spec(content[name]) for name in ('player', 'evaluator'))
        return cls(player, evaluator, tuple(map(_spec, content['others'])), content['duration'])


def _spec(content: dict[str, Any]) -> ProcessSpec:
    content['parameter_files'] = tuple(map(Path, content['parameter_files']))
    content['remappings'] = tuple((source, target) for source, target in content['remappings'])
    content['arguments'] = tuple(content['arguments'])
    return ProcessSpec(**content)


def plan_arguments(arguments: Mapping[str, str]) -> list[str]:
    """Return arguments of ``hydranet`` that plan a replay, from values of `REPLAY_ARGUMENTS`."""
    options = []
    for name, value in arguments.items():
        option = name.replace('_', '-')
        if name in REPLAY_FLAGS:
            options.append(f'--{option}' if is_true(arguments, name) else f'--no-{option}')
        elif name != 'bag':
            options.append(f'--{option}={value}')
    return ['replay', '--plan', *options, '--', arguments['bag']]


def planned_replay(hydranet: str, arguments: Mapping[str, str]) -> Replay:
    """
    Return the replay that an installed executable ``hydranet`` plans.

    Raises HydranetError with the executable's error message if the executable fails.
    """
    command = [hydranet, *plan_arguments(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HydranetError(done.stderr.strip() or f'{hydranet} ended with {done.returncode}.')
    print(done.stderr, end='', file=sys.stderr)
    return Replay.from_json(done.stdout)
