# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of all tests: a quiet machine, and a ROS graph of our own where there is ROS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import importlib.util
import os
import socket

import pytest

HAS_ROS = importlib.util.find_spec('rclpy') is not None
collect_ignore_glob = [] if HAS_ROS else ['test_node_*.py', 'system/*.py']

DOMAINS = 100
"""Domains 1 to 100: those whose ports Linux does not hand out to others."""
FIRST_PORT = 17400


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out."""
    return [] if HAS_ROS else [f'no rclpy: {", ".join(collect_ignore_glob)} are left out']


@pytest.fixture(scope='session', autouse=True)
def private_ros_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep this run's nodes, and those of the processes it starts, to themselves."""
    with claim_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_DOMAIN_ID', str(domain))
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        patch.setenv('ROS_LOG_DIR', str(tmp_path_factory.mktemp('ros_log')))
        yield


@contextmanager
def claim_domain() -> Iterator[int]:
    """Choose a ROS domain that no other test run on this machine uses; a bound port marks it."""
    offset = os.getpid()
    for index in range(DOMAINS):
        domain = 1 + (offset + index) % DOMAINS
        with socket.socket() as mark:
            try:
                mark.bind(('127.0.0.1', FIRST_PORT + domain))
            except OSError:
                continue
            yield domain
            return
    raise RuntimeError('Every ROS domain is in use by another test run.')
