# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The examples run as a user would run them, and are short."""

from __future__ import annotations

from dataclasses import replace
import os
from pathlib import Path
import subprocess
import sys
import time

from checkout import CHECKOUT
import cv2
from evaluated_bags import make_bag
import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.launching.process_group import ProcessGroup
from hydranet_ros.launching.process_specs import perception_process
from hydranet_ros.model.bundle import save_bundle

EXAMPLES = CHECKOUT / 'examples'


def environment() -> dict[str, str]:
    """Return the variables of an example: the tests' own ROS graph, and this checkout."""
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get('PYTHONPATH'))))
    return {**os.environ, 'PYTHONPATH': path}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a model with seeded, untrained weights."""
    path = tmp_path / 'untrained.safetensors'
    save_bundle(path, published_bundle('kitti6', canonical_focal=500.0), dtype='float32')
    return path


def run(name: str, *arguments: object, folder: Path) -> str:
    """Run an example in a folder, and return what it prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    result = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_examples_are_short_and_documented() -> None:
    names = {path.name: path for path in EXAMPLES.glob('*.py')}
    assert names.keys() == {'predict_picture.py', 'evaluate_bag.py', 'read_outputs.py'}
    index = (EXAMPLES / 'README.md').read_text()
    for name, path in names.items():
        assert len(path.read_text().splitlines()) < 40 and name in index


def test_predict_picture(tmp_path: Path) -> None:
    picture = np.full((96, 160, 3), 128, np.uint8)
    assert cv2.imwrite(str(tmp_path / 'picture.png'), picture)
    printed = run('predict_picture.py', 'picture.png', 300.0, folder=tmp_path)
    assert '% of the picture' in printed and 'm away' in printed
    for name in ('segmentation.png', 'depth.png'):
        assert cv2.imread(str(tmp_path / name)).shape == picture.shape


def test_evaluate_bag(tmp_path: Path, model: Path) -> None:
    printed = run('evaluate_bag.py', make_bag(tmp_path / 'bag', 3), model, folder=tmp_path)
    assert 'segmentation/mean_iou' in printed and 'depth/abs_rel' in printed
    assert '3 of 3 images were measured' in printed
    assert (tmp_path / 'report' / 'report.json').is_file()


@pytest.mark.system
def test_read_outputs(tmp_path: Path, model: Path) -> None:
    """The node processes images, and the example in another process prints the results."""
    pytest.importorskip('rclpy')
    from ros_client import noise, RosClient

    parameters = {'model': str(model), 'device': 'cpu', 'backend': 'torch'}
    node = replace(perception_process(), parameters=parameters)
    output = tmp_path / 'printed'
    with ProcessGroup(tmp_path, {}) as group, output.open('w') as file:
        group.start(node)
        client = RosClient()
        command = [sys.executable, str(EXAMPLES / 'read_outputs.py')]
        reader = subprocess.Popen(command, env=environment(), stdout=file)
        try:
            client.until(lambda: client.state() == 'active', 'the node to become active', 120)

            def printed() -> bool:
                client.images.publish(client.image(noise(48, 64)))
                time.sleep(0.1)
                return 'class' in output.read_text()

            client.until(printed, 'a line of the example', 120)
        finally:
            reader.terminate()
            reader.wait()
            client.close()
    assert ' m\n' in output.read_text()
