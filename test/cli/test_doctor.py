# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The judgements of ``hydranet doctor``; test/system/test_doctor.py runs it beside a camera."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

from checkout import CHECKOUT
import pytest

from hydranet_ros.cli import doctor_checks
from hydranet_ros.cli.doctor_checks import (
    check_cameras,
    check_distribution,
    check_interpreter,
    check_packages,
    check_shared_memory,
    check_transport,
    ERROR,
    OK,
    SEGMENT_BYTES,
    WARNING,
)

PROFILE = CHECKOUT / 'config' / 'fastdds_images.xml'


def camera(**changes: Any) -> SimpleNamespace:
    """Return a camera topic with images and a calibration that fits them."""
    header = SimpleNamespace(frame_id='camera')
    facts: dict[str, Any] = {
        'name': '/camera/image_raw',
        'type': 'sensor_msgs/msg/Image',
        'publishers': ['/driver, best effort'],
        'rate': 29.97,
        'image': SimpleNamespace(header=header, encoding='bgr8'),
        'size': (640, 480),
        'fault': '',
        'calibration': SimpleNamespace(header=header, width=640, height=480, k=[500.0] + 8 * [0]),
        'calibration_topic': '/camera/camera_info',
        'calibration_published': True,
    }
    return SimpleNamespace(**facts | changes)


def told(*cameras: SimpleNamespace, wanted: str = '') -> list[tuple[str, str]]:
    """Return level and text of the findings on cameras."""
    graph: Any = SimpleNamespace(cameras=list(cameras), nodes=[])
    return [(finding.level, finding.text) for finding in check_cameras(graph, wanted)]


def test_a_good_camera() -> None:
    assert told(camera()) == [
        (OK, '30.0 Hz, 640x480 bgr8; /driver, best effort'),
        (OK, "640x480, fx 500.0 px, frame_id 'camera'"),
    ]


def test_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    ((level, text),) = told(wanted='/front/image')
    assert level == WARNING and '/front/image' in text and 'ROS_DOMAIN_ID=7' in text


@pytest.mark.parametrize(
    ('changes', 'level', 'text'),
    [
        ({'image': None, 'size': None}, ERROR, 'no image was received'),
        ({'size': None, 'fault': 'Images of nv99 are not supported.'}, WARNING, 'nv99'),
        ({'rate': None}, OK, 'one image, 640x480'),
    ],
)
def test_images(changes: dict[str, Any], level: str, text: str) -> None:
    found, _ = told(camera(**changes))
    assert found[0] == level and text in found[1]


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'calibration': None}, 'published, but not received'),
        ({'calibration': None, 'calibration_published': False}, 'not published'),
        ({'k': 9 * [0.0]}, 'uncalibrated'),
        ({'header': SimpleNamespace(frame_id='map')}, "'map' differs from 'camera'"),
    ],
)
def test_calibration(changes: dict[str, Any], text: str) -> None:
    given = camera()
    if 'calibration' in changes:
        given = camera(**changes)
    else:
        given.calibration = SimpleNamespace(**vars(given.calibration) | changes)
    _, found = told(given)
    assert found[0] == WARNING and text in found[1]


def test_the_profile_of_the_shell() -> None:
    name = 'FASTDDS_DEFAULT_PROFILES_FILE'
    assert check_transport('rmw_fastrtps_cpp', {name: str(PROFILE)}).level == OK
    missing = check_transport('rmw_fastrtps_cpp', {})
    assert missing.level == WARNING and f'export {name}={PROFILE}' in missing.advice
    wrong = check_transport('rmw_fastrtps_cpp', {name: '/nowhere.xml'})
    assert wrong.level == ERROR and '/nowhere.xml' in wrong.text
    assert check_transport('rmw_cyclonedds_cpp', {}).level == OK
    own = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'}
    assert 'LARGE_DATA' in check_transport('rmw_fastrtps_cpp', own).text


def test_shared_memory_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(doctor_checks, 'SHARED_MEMORY', tmp_path)
    monkeypatch.setattr('shutil.disk_usage', lambda _: usage(64 << 20, 63 << 20, 1 << 20))
    small = check_shared_memory()
    assert small.level == WARNING and '--shm-size' in small.advice
    monkeypatch.setattr('shutil.disk_usage', lambda _: usage(64 << 20, 0, 64 << 20))
    assert check_shared_memory().level == OK
    monkeypatch.setattr(doctor_checks, 'SHARED_MEMORY', tmp_path / 'none')
    assert check_shared_memory().level == WARNING


def test_the_segment_is_that_of_the_profile() -> None:
    assert f'<segment_size>{SEGMENT_BYTES}</segment_size>' in PROFILE.read_text()


class Wheel:
    """rclpy from PyPI, in a folder."""

    version = '9.1.2'

    def __init__(self, folder: Path) -> None:
        self.locate_file = folder.joinpath


def test_two_ros_in_one_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor_checks, 'distributions', lambda name: [Wheel(tmp_path / 'lib')])
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    assert check_distribution().level == OK
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    both = check_distribution()
    assert both.level == ERROR and 'jazzy' in both.text and '9.1.2' in both.text
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    assert check_distribution().level == OK
    monkeypatch.setattr(doctor_checks, 'distributions', lambda name: [])
    monkeypatch.delenv('ROS_DISTRO')
    assert check_distribution().level == WARNING


def forget(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a package be imported anew; afterwards, what was or was not imported is restored."""
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, name)


def findings_on_packages() -> dict[str, doctor_checks.Finding]:
    return {finding.subject: finding for finding in check_packages()}


def test_packages_that_are_missing_or_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ('openvino', 'onnxruntime', 'torch', 'rosbags', 'cv_bridge', 'vision_msgs'):
        monkeypatch.setitem(sys.modules, name, None)
    broken = "raise ImportError('numpy.core.multiarray failed to import')"
    (tmp_path / 'cv2.py').write_text(broken)
    forget(monkeypatch, 'cv2')
    monkeypatch.syspath_prepend(tmp_path)
    findings = findings_on_packages()
    assert findings['numpy'].level == OK
    assert findings['cv2'].level == ERROR and 'NumPy' in findings['cv2'].text
    assert findings['torch'].level == ERROR and 'pip install torch' in findings['torch'].advice
    assert findings['cv_bridge'].level == OK


def test_one_runtime_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # As Debian installs OpenCV: one file, no folder.
    (tmp_path / 'cv2.py').write_text("__version__ = '4.6.0'")
    forget(monkeypatch, 'cv2')
    (tmp_path / 'torch.py').write_text("raise OSError('libcudart.so is missing')")
    forget(monkeypatch, 'torch')
    (tmp_path / 'onnxruntime').mkdir()
    (tmp_path / 'onnxruntime' / '__init__.py').touch()
    forget(monkeypatch, 'onnxruntime')
    monkeypatch.setitem(sys.modules, 'openvino', None)
    monkeypatch.syspath_prepend(tmp_path)
    findings = findings_on_packages()
    assert findings['cv2'].text == f'4.6.0 in {tmp_path / "cv2.py"}'
    assert findings['onnxruntime'].level == findings['openvino'].level == OK
    assert findings['torch'].level == WARNING and 'libcudart' in findings['torch'].text


def test_the_interpreter_and_the_package_are_named() -> None:
    interpreter, package = check_interpreter()
    assert sys.executable in interpreter.text
    assert str(CHECKOUT / 'hydranet_ros') in package.text


def test_without_yaml_the_command_names_it() -> None:
    program = (
        "import sys; sys.modules['yaml'] = None; from hydranet_ros.cli.main import main; "
        "sys.exit(main(['doctor']))"
    )
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith(f'hydranet: {sys.executable} has no package yaml')
