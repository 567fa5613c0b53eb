# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A perception node in a process of its own, and a client that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from published import published_bundle
import pytest
from ros_client import RosClient

from hydranet_ros.launching.process_group import ProcessGroup, RunningProcess
from hydranet_ros.launching.process_specs import perception_process
from hydranet_ros.model.bundle import save_bundle

# One thread each, so that inference leaves CPU time for the test.
ENVIRONMENT = {'OMP_NUM_THREADS': '1'}
SMALL = {'warm_up_height': 64, 'warm_up_width': 64, 'device': 'cpu'}

StartNode = Callable[..., RunningProcess]


@pytest.fixture(scope='session')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of three tasks with seeded, untrained weights; canonical focal 500 px."""
    path = tmp_path_factory.mktemp('models') / 'untrained.safetensors'
    bundle = published_bundle('nyud40_normals', canonical_focal=500.0, depth_range=(0.1, 90.0))
    save_bundle(path, bundle, dtype='float32')
    return path


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[StartNode]:
    """Return a function that starts a perception node with parameters."""
    with ProcessGroup(tmp_path, ENVIRONMENT) as group:

        def start(namespace: str = '', **parameters: object) -> RunningProcess:
            spec = perception_process(namespace=namespace)
            return group.start(replace(spec, parameters={**SMALL, **parameters}))

        yield start


@pytest.fixture(scope='session')
def shared_node(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProcess]:
    """Start a node for all tests that leave it active."""
    spec = replace(perception_process(), parameters={**SMALL, 'model': str(model)})
    with ProcessGroup(tmp_path_factory.mktemp('node'), ENVIRONMENT) as group:
        yield group.start(spec)


@pytest.fixture(scope='session')
def shared_client(shared_node: RunningProcess) -> Iterator[RosClient]:
    """Return the client of the shared node, which is active."""
    client = RosClient()
    client.until(lambda: client.state() == 'active', 'the node to become active')
    yield client
    client.close()


@pytest.fixture
def client(shared_client: RosClient, shared_node: RunningProcess) -> Iterator[RosClient]:
    """Return the client of the shared node; its subscriptions end with the test."""
    yield shared_client
    shared_client.unsubscribe_all()
    assert shared_node.popen.poll() is None, shared_node.last_lines()
