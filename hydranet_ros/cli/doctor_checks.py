# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The checks of ``hydranet doctor``; each returns findings and raises nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import distributions
import os
from pathlib import Path
import shutil
import sys
from typing import TYPE_CHECKING

from hydranet_ros import __version__
from hydranet_ros.errors import missing_package
from hydranet_ros.launching.process_specs import ament_prefixes, FASTDDS_VARIABLES
from hydranet_ros.resources import config_path

if TYPE_CHECKING:
    from hydranet_ros.node.graph_check import CameraTopic, Graph
    from hydranet_ros.runtime.predictor import Predictor

OK, WARNING, ERROR = 'ok', 'warning', 'error'
REQUIRED = ('numpy', 'cv2', 'yaml')
RUNTIMES = ('openvino', 'onnxruntime', 'torch')
"""Packages that run a model; at least one is needed."""
OPTIONAL = {
    'rosbags': 'bags and replay',
    'cv_bridge': 'rare image encodings',
    'vision_msgs': 'the topic label_info',
}
SHARED_MEMORY = Path('/dev/shm')
SEGMENTS = 4
"""Number of Fast DDS segments in shared memory: for camera, node and two consumers."""
SEGMENT_BYTES = 8 << 20  # config/fastdds_images.xml


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: str  # OK, WARNING or ERROR
    subject: str
    text: str
    advice: str = ''  # what to do; empty if nothing


def check_interpreter() -> Iterator[Finding]:
    """Report the Python and the copy of the package that run this command and also the nodes."""
    text = f'{sys.executable} {".".join(map(str, sys.version_info[:3]))}'
    if sys.prefix != sys.base_prefix:
        text += f', virtual environment {sys.prefix}'
    yield Finding(OK, 'interpreter', text)
    yield Finding(OK, 'hydranet_ros', f'{__version__} in {Path(__file__).resolve().parents[1]}')


def check_distribution() -> Finding:
    """Report the ROS 2 distribution in use; two of them in one process do not work."""
    sourced = os.environ.get('ROS_DISTRO')
    wheel = next(iter(distributions(name='ros-rclpy')), None)
    if sourced and wheel and not _is_sourced(Path(str(wheel.locate_file('')))):
        return Finding(
            ERROR,
            'distribution',
            f'{sourced} is sourced, and this environment has rclpy {wheel.version} from PyPI',
            'use an environment without the packages ros-*, or a shell without a sourced ROS 2',
        )
    if sourced:
        return Finding(OK, 'distribution', sourced)
    if wheel:
        return Finding(OK, 'distribution', f'rclpy {wheel.version} from PyPI')
    return Finding(
        WARNING,
        'distribution',
        'no ROS 2 is sourced',
        'source /opt/ros/DISTRO/setup.bash and install/setup.bash of your workspace',
    )


def _is_sourced(folder: Path) -> bool:
    """Return whether a folder belongs to a sourced prefix."""
    return any(folder.resolve().is_relative_to(prefix.resolve()) for prefix in ament_prefixes())


def check_packages() -> Iterator[Finding]:
    """Import the packages, and report their versions and folders."""
    yield from map(_import, REQUIRED)
    runtimes = [_import(name) for name in RUNTIMES]
    one_works = any(finding.level == OK for finding in runtimes)
    for finding in runtimes:
        if finding.level == ERROR and one_works:
            yield _less_severe(finding, 'not installed, not needed')
        else:
            yield finding
    for name, purpose in OPTIONAL.items():
        finding = _import(name)
        if finding.level == ERROR:
            finding = _less_severe(finding, f'not installed, only needed for {purpose}')
        yield finding


def _import(name: str) -> Finding:
    """Import a package; a package that is missing or broken is an error."""
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        fault = str(missing_package(error))
        if error.name != name:
            return Finding(ERROR, name, fault)
        return Finding(ERROR, name, _NOT_INSTALLED, fault.partition(': ')[2].rstrip('.'))
    except Exception as error:  # a broken package may raise anything
        reason = missing_package(error) if isinstance(error, ImportError) else error
        return Finding(ERROR, name, f'cannot be imported: {reason}', _NUMPY_ADVICE)
    found = getattr(module, '__version__', '')
    # Debian's cv2 is a single file, and packages may lack an __init__.py.
    place = next(iter(getattr(module, '__path__', ())), None) or module.__file__
    return Finding(OK, name, f'{found} in {place}'.strip())


def _less_severe(finding: Finding, if_missing: str) -> Finding:
    """Return the finding on a package that is not needed: missing is fine, broken a warning."""
    if finding.text == _NOT_INSTALLED:
        return Finding(OK, finding.subject, if_missing)
    return replace(finding, level=WARNING)


_NOT_INSTALLED = 'not installed'
_NUMPY_ADVICE = (
    "if NumPy is not the distribution's version, constrain pip to that version (README, quick "
    'start) and install again'
)


def check_transport(middleware: str, shell: Mapping[str, str]) -> Finding:
    """Report the middleware, and whether the shell's variables name a profile for images."""
    if 'fastrtps' not in middleware:
        return Finding(OK, 'middleware', f'{middleware}, which needs no Fast DDS profile')
    paths = {shell[name] for name in FASTDDS_VARIABLES if shell.get(name)}
    absent = [path for path in paths if not Path(path).is_file()]
    if absent:
        return Finding(
            ERROR,
            'middleware',
            f'{middleware}; there is no profile {absent[0]}',
            _profile_advice(),
        )
    if paths:
        return Finding(OK, 'middleware', f'{middleware} with the profile {sorted(paths)[0]}')
    if shell.get('FASTDDS_BUILTIN_TRANSPORTS'):
        transports = shell['FASTDDS_BUILTIN_TRANSPORTS']
        return Finding(OK, 'middleware', f'{middleware}, FASTDDS_BUILTIN_TRANSPORTS={transports}')
    return Finding(
        WARNING,
        'middleware',
        f'{middleware}; the processes of this package use its profile for images, but a camera '
        'driver started from this shell does not, and loses images over 512 KiB',
        _profile_advice(),
    )


def _profile_advice() -> str:
    return f'before you start the driver: export {FASTDDS_VARIABLES[0]}=' + (
        f'{config_path("fastdds_images.xml")} (up to Jazzy also {FASTDDS_VARIABLES[1]})'
    )


def check_shared_memory() -> Finding:
    """Report whether the segments of Fast DDS fit the shared memory of this machine."""
    if not SHARED_MEMORY.is_dir():
        return Finding(
            WARNING, 'shared memory', f'there is no {SHARED_MEMORY}', 'mount a tmpfs there'
        )
    free = shutil.disk_usage(SHARED_MEMORY).free
    text = f'{SHARED_MEMORY} has {free >> 20} MiB free'
    if not os.access(SHARED_MEMORY, os.W_OK):
        return Finding(
            ERROR,
            'shared memory',
            f'{SHARED_MEMORY} is not writable',
            f'chmod 1777 {SHARED_MEMORY}',
        )
    if free < SEGMENTS * SEGMENT_BYTES:
        return Finding(
            WARNING,
            'shared memory',
            f'{text}; each process needs {SEGMENT_BYTES >> 20} MiB',
            'in a container: --ipc=host or --shm-size=256m; else remove old files '
            f'{SHARED_MEMORY}/fastrtps_* while no ROS process runs',
        )
    return Finding(OK, 'shared memory', text)


def check_model(
    predictor: Predictor, seconds: Sequence[float], size: tuple[int, int]
) -> Iterator[Finding]:
    """Report the model and its speed; ``seconds`` are durations for this width and height."""
    metadata = predictor.metadata
    tasks = ', '.join(metadata.tasks)
    labels = ', '.join(piece.labels.name for piece in metadata.label_slices) or 'none'
    yield Finding(OK, 'model', f'{metadata.name}: {tasks}; label sets: {labels}')
    used = predictor.backend
    median = sorted(seconds)[len(seconds) // 2]
    yield Finding(
        OK,
        'speed',
        f'{1e3 * median:.0f} ms per image of {size[0]}x{size[1]} by {used.name} on {used.device} '
        f'in {used.precision}: {1 / median:.1f} images per second',
    )


def check_cameras(graph: Graph, wanted: str) -> Iterator[Finding]:
    """Report each camera topic, its rate and its calibration."""
    if not graph.cameras:
        names = ('ROS_DOMAIN_ID', 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY')
        used = ', '.join(f'{name}={os.environ[name]}' for name in names if name in os.environ)
        yield Finding(
            WARNING,
            'images',
            f'no camera publishes {f"on {wanted}" if wanted else "images"} '
            f'({used or "ROS_DOMAIN_ID is not set"})',
            'start the camera driver in the same domain; ros2 topic list -t shows its topics',
        )
    for camera in graph.cameras:
        yield check_images(camera)
        yield check_calibration(camera)
    if graph.nodes:
        yield Finding(OK, 'perception node', f'{", ".join(graph.nodes)} runs')


def check_images(camera: CameraTopic) -> Finding:
    """Report whether the node can use the images of a topic."""
    publishers = '; '.join(camera.publishers) or 'no publisher any more'
    if camera.image is None:
        return Finding(
            ERROR,
            camera.name,
            f'{camera.type}, no image was received ({publishers})',
            'ros2 topic hz shows whether the driver publishes; large images need the Fast DDS '
            'profile in the driver',
        )
    if camera.size is None:
        return Finding(WARNING, camera.name, camera.fault, 'choose another topic for the node')
    encoding = getattr(camera.image, 'encoding', '') or f'compressed ({camera.image.format})'
    rate = f'{camera.rate:.1f} Hz' if camera.rate else 'one image'
    return Finding(
        OK, camera.name, f'{rate}, {camera.size[0]}x{camera.size[1]} {encoding}; {publishers}'
    )


def check_calibration(camera: CameraTopic) -> Finding:
    """Report whether a camera has a calibration that fits its images."""
    topic, message = camera.calibration_topic, camera.calibration
    effect = 'the node publishes no points and assumes the scale of depth'
    if message is None:
        what = 'published, but not received' if camera.calibration_published else 'not published'
        advice = 'calibrate the camera, or give camera_info:=TOPIC to the launch file'
        return Finding(WARNING, topic, f'{what}: {effect}', advice)
    if not message.k[0] > 0:
        return Finding(
            WARNING, topic, f'uncalibrated (K is zero): {effect}', 'calibrate the camera'
        )
    frames = (message.header.frame_id, camera.image and camera.image.header.frame_id)
    if camera.image is not None and frames[0] != frames[1]:
        return Finding(
            WARNING,
            topic,
            f'frame_id {frames[0]!r} differs from {frames[1]!r} of the images: {effect}',
            'set the same frame_id in the camera driver',
        )
    text = f'{message.width}x{message.height}, fx {message.k[0]:.1f} px, frame_id {frames[0]!r}'
    return Finding(OK, topic, text)
