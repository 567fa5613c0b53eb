# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of all tests: a quiet machine, and a ROS graph of our own where there is ROS."""

from __future__ import annotations

from collections.abc import Iterator
import importlib.util

import pytest

from hydranet_ros.backends.choice import VARIABLE
from hydranet_ros.processes import private_graph_environment

HAS_ROS = importlib.util.find_spec('rclpy') is not None
collect_ignore_glob = [] if HAS_ROS else ['test_node_*.py', 'system/*.py']


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out."""
    return [] if HAS_ROS else [f'no rclpy: {", ".join(collect_ignore_glob)} are left out']


@pytest.fixture(scope='session', autouse=True)
def private_ros_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep this run's nodes, and those of the processes it starts, to themselves."""
    with pytest.MonkeyPatch.context() as patch:
        environment = private_graph_environment(tmp_path_factory.mktemp('ros_log'))
        for name, value in environment.items():
            patch.setenv(name, value)
        # Not by measurement, which depends on what else the machine does.
        patch.setenv(VARIABLE, 'openvino')
        yield
