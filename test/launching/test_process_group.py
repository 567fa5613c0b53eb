# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Process groups: errors quote the output of a process, and no process is left running."""

from __future__ import annotations

from pathlib import Path
import time

import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_group import private_graph_environment, ProcessGroup
from hydranet_ros.launching.process_specs import ProcessSpec

PROGRAMS = {
    'worker': 'echo working; exit 0',
    'failing': 'echo the disk is on fire >&2; exit 3',
    'listener': 'trap "echo asked to end; exit 0" TERM; echo ready; while :; do sleep 0.05; done',
    'telling': 'echo "domain $ROS_DOMAIN_ID, $COLOR"',
}


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, ProcessSpec]:
    for name, text in PROGRAMS.items():
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\n{text}\n')
        program.chmod(0o755)
    return {name: ProcessSpec('tools', str(tmp_path / name), name) for name in PROGRAMS}


def until_ready(log: Path) -> None:
    deadline = time.monotonic() + 20
    while 'ready' not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_work_is_awaited_and_the_rest_ended(tmp_path: Path, specs: dict[str, ProcessSpec]) -> None:
    with ProcessGroup(tmp_path, {}) as group:
        listener = group.start(specs['listener'])
        until_ready(listener.log)
        group.wait(group.start(specs['worker']), timeout=20)
        assert listener.popen.poll() is None
    assert listener.popen.returncode == 0
    assert 'asked to end' in listener.last_lines()


@pytest.mark.parametrize('awaited', ['failing', 'listener'])
def test_a_fault_is_told_with_what_was_printed(
    tmp_path: Path, specs: dict[str, ProcessSpec], awaited: str
) -> None:
    with ProcessGroup(tmp_path, {}) as group:
        processes = {name: group.start(specs[name]) for name in ('listener', 'failing')}
        with pytest.raises(HydranetError, match='failing ended early with status 3') as fault:
            group.wait(processes[awaited], timeout=20)
        assert 'the disk is on fire' in str(fault.value)
    assert processes['listener'].popen.poll() is not None


def test_waiting_has_an_end(tmp_path: Path, specs: dict[str, ProcessSpec]) -> None:
    with ProcessGroup(tmp_path, {}) as group:
        listener = group.start(specs['listener'])
        with pytest.raises(HydranetError, match='listener did not end within 0 s'):
            group.wait(listener, timeout=0.1)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    spec = ProcessSpec('tools', str(tmp_path / 'missing'), 'missing')
    with ProcessGroup(tmp_path, {}) as group, pytest.raises(HydranetError, match='missing cannot'):
        group.start(spec)


def test_environment_reaches_the_process(tmp_path: Path, specs: dict[str, ProcessSpec]) -> None:
    environment = private_graph_environment(tmp_path)
    with ProcessGroup(tmp_path, {**environment, 'COLOR': 'green'}) as group:
        telling = group.start(specs['telling'])
        group.wait(telling, timeout=20)
    assert f'domain {environment["ROS_DOMAIN_ID"]}, green' in telling.last_lines()
    assert 1 <= int(environment['ROS_DOMAIN_ID']) <= 100
