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

_TRAINING = (
    'benchmarks',
    'training/test_checkpoint.py',
    'training/test_distributed.py',
    'training/test_initial_weights.py',
    'training/test_loop.py',
    'training/test_losses.py',
)
# Optional packages, of which a robot may have none, and the tests that need them.
_NEEDED_BY = {
    'rclpy': ('node', 'system'),
    'lightning_fabric': _TRAINING,
    'tensorboard': _TRAINING,
    'h5py': ('data/test_readers.py',),
    'scipy': ('evaluation/test_reconstruction.py',),
    'matplotlib': ('benchmarks', 'evaluation/test_bag_evaluation.py'),
}
_MISSING = [name for name in _NEEDED_BY if importlib.util.find_spec(name) is None]
collect_ignore = sorted({path for name in _MISSING for path in _NEEDED_BY[name]})
# `make test` runs each of these marks in a process of its own. Training forks loaders and sends
# its own process SIGTERM, ROS installs signal handlers, and teachers load native runtimes: in one
# process they crash. Nodes inside the process of a test slow its later ROS clients.
_MARKS = {
    'node': 'ros',
    'system': 'system',
    'training/distillation': '',
    'training': 'training',
    'benchmarks/test_claims.py': 'training',
}


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Report which tests are skipped."""
    return [f'no {", ".join(_MISSING)}: skipping {", ".join(collect_ignore)}'] if _MISSING else []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the first entry of the table that its path begins with."""
    here = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(here)
        mark = next((mark for start, mark in _MARKS.items() if path.is_relative_to(start)), '')
        if mark:
            item.add_marker(mark)


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
