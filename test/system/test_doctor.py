# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet doctor`` beside a camera in another process."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

from evaluated_bags import FOCAL, HEIGHT, make_bag, WIDTH
import pytest

from hydranet_ros.bags.conversion import BagLayout
from hydranet_ros.launching.process_group import ProcessGroup
from hydranet_ros.launching.process_specs import PACKAGE, ProcessSpec


def doctor(*arguments: str) -> tuple[int, dict[str, str], str]:
    """Run the command; return its status, its lines by subject, and all that it printed."""
    done = subprocess.run(
        [sys.executable, '-m', 'hydranet_ros.cli.main', 'doctor', *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    by_subject = {words[1]: f'{words[0]} {words[2]}' for words in lines if len(words) == 3}
    return done.returncode, by_subject, done.stdout + done.stderr


def test_a_camera_and_its_calibration_are_found(tmp_path: Path) -> None:
    bag = make_bag(tmp_path / 'bag', 10, BagLayout('/front/image_raw'))
    parameters = {'bag': str(bag), 'loop': True, 'wait_subscribers': 0}
    camera = ProcessSpec(PACKAGE, 'bag_player', 'bag_player', parameters=parameters)
    with ProcessGroup(tmp_path, {}) as group:
        process = group.start(camera)
        status, lines, text = doctor('--image', 'front/image_raw', '--seconds', '6')
        assert process.popen.poll() is None, process.last_lines()
    assert status == 0, text
    assert lines['/front/image_raw'].startswith('ok ') and f'{WIDTH}x{HEIGHT}' in text
    assert 'Hz' in lines['/front/image_raw'] and '/bag_player' in lines['/front/image_raw']
    assert lines['/front/camera_info'].startswith('ok ')
    assert f'fx {FOCAL:.1f} px' in lines['/front/camera_info']
    assert f'{WIDTH}x{HEIGHT} by openvino' in lines['speed']
    assert '/ground_truth' not in text


def test_without_a_camera_and_with_a_missing_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('FASTDDS_DEFAULT_PROFILES_FILE', raising=False)
    status, lines, text = doctor('--seconds', '0.5', '--model', 'nonesuch')
    assert status == 1 and 'Traceback' not in text
    assert lines['model'].startswith('error There is no model')
    assert lines['images'].startswith('warning no camera publishes images')
    assert lines['middleware'].startswith('warning ')
