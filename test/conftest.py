# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of all tests: few threads, and a separate ROS graph if ROS is installed."""

from __future__ import annotations

from collections.abc import Iterator
import importlib.util
from pathlib import Path

import pytest

from hydranet_ros.launching.process_group import private_graph_environment
from hydranet_ros.runtime.backends.choice import VARIABLE

HAS_ROS = importlib.util.find_spec('rclpy') is not None
collect_ignore = [] if HAS_ROS else ['node', 'system']
# `make test` runs each of these marks in a process of its own. Training forks loaders and sends
# its own process SIGTERM, ROS installs signal handlers, and both load native runtimes that do not
# work together in one process. Nodes inside the process of a test slow its later ROS clients.
_MARKS = {'node': 'ros', 'system': 'system', 'training': 'training', 'benchmarks': 'training'}


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Report which tests are skipped."""
    return [] if HAS_ROS else [f'no rclpy: {", ".join(collect_ignore)} are left out']


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the room it is in."""
    here = Path(__file__).parent
    for item in items:
        room = item.path.relative_to(here).parts[0]
        if room in _MARKS:
            item.add_marker(_MARKS[room])


@pytest.fixture(scope='session', autouse=True)
def private_ros_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a separate ROS graph for the nodes of this run and of its processes."""
    with pytest.MonkeyPatch.context() as patch:
        environment = private_graph_environment(tmp_path_factory.mktemp('ros_log'))
        for name, value in environment.items():
            patch.setenv(name, value)
        # Do not measure, because the result depends on the load of the machine.
        patch.setenv(VARIABLE, 'openvino')
        yield
