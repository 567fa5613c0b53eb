# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a user reads where a package is missing, as after a plain ``colcon build``."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

from checkout import CHECKOUT
import pytest

from hydranet_ros.cli.main import main
from hydranet_ros.launching import executables
from hydranet_ros.launching.process_specs import EXECUTABLES


@pytest.mark.parametrize('executable', EXECUTABLES)
def test_without_ros_one_sentence_says_so(executable: str) -> None:
    program = f"""
import sys
from hydranet_ros.launching.executables import main
sys.modules.update(dict.fromkeys(('rclpy', 'builtin_interfaces', 'diagnostic_msgs')))
sys.argv = ['/lib/hydranet_ros/{executable}']
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count('\n')) == (1, '', 1)
    assert done.stderr.startswith(f'{executable}: {sys.executable} finds no ')
    assert 'source the setup.bash' in done.stderr


def test_a_node_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / 'a_node.py').write_text('from lidar_driver.points import read')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(EXECUTABLES, 'perception_node', 'a_node')
    monkeypatch.setattr(sys, 'argv', ['/lib/hydranet_ros/perception_node'])
    assert executables.main() == 1
    told = capsys.readouterr().err
    assert f'perception_node: {sys.executable} has no package lidar_driver: install' in told
    assert 'python -m colcon build' in told


def test_a_command_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_arguments: object) -> int:
        raise ModuleNotFoundError("No module named 'torch'", name='torch.nn')

    monkeypatch.setattr('hydranet_ros.cli.info.run', run)
    assert main(['info', 'street_kitchen']) == 1
    assert f'{sys.executable} has no package torch:' in capsys.readouterr().err


def test_a_package_for_another_numpy_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    def run(_arguments: object) -> int:
        raise ImportError('numpy.core.multiarray failed to import')

    monkeypatch.setattr('hydranet_ros.cli.info.run', run)
    assert main(['info', 'street_kitchen']) == 1
    assert f'NumPy {np.__version__} in /' in capsys.readouterr().err
