# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The processes of a ROS graph with their parameters and topics, for launch files, demo and tests.

Launch files convert a :class:`ProcessSpec` to a launch action. Where ``launch`` is not installed,
the command from :func:`command_line` starts the same process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import posixpath
import sys
from typing import Any

from hydranet_ros.camera.working_width import parse_working_width
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.topic_names import camera_info_topic
from hydranet_ros.resources import config_path, PACKAGE

NODE_NAME = 'perception_node'
EXECUTABLES = {
    'perception_node': 'hydranet_ros.node.perception.perception_node',
    'bag_player': 'hydranet_ros.node.bag_tools.bag_player',
    'bag_recorder': 'hydranet_ros.node.bag_tools.bag_recorder',
    'evaluator_node': 'hydranet_ros.node.bag_tools.evaluator_node',
}
"""Executables of the package and their modules; executables.py is the entry point of all."""

# Variables that name the profile of Fast DDS: version 3 (since Kilted), 2 (up to Jazzy).
FASTDDS_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')

PACKAGE_INDEX = Path('share/ament_index/resource_index/packages')
"""Folder, in an installation prefix, that contains one file for each ROS package."""

# Absolute names of the topics that config/hydranet.rviz shows.
RVIZ_TOPICS = ('/image', '/overlay', '/depth/color', '/points')

ParameterValue = str | bool | int | float | list[str]


@dataclass(frozen=True)
class ProcessSpec:
    """One process of a ROS graph."""

    package: str  # as for ``ros2 run``
    executable: str
    name: str  # of the node
    namespace: str = ''
    parameter_files: tuple[Path, ...] = ()  # YAML; later files override earlier ones
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)  # override the files
    remappings: tuple[tuple[str, str], ...] = ()  # pairs (from, to) of topic names
    arguments: tuple[str, ...] = ()  # further command-line arguments, outside ``--ros-args``
    log_level: str = 'info'  # of the node; other loggers keep their default level
    respawn: bool = False  # whether launch starts the process again when it ends
    shutdown_timeout: float | None = None
    """Seconds that launch waits after SIGINT, and again after SIGTERM; None: launch's default."""

    @property
    def log_arguments(self) -> list[str]:
        """Return the ROS arguments that set the log level of the node alone."""
        logger = '.'.join([*filter(None, self.namespace.split('/')), self.name])
        return ['--log-level', f'{logger}:={self.log_level}']


def perception_process(
    *,
    params_file: str | Path | None = None,
    model: str | Path = '',
    label_set: str = '',
    working_width: str = '',
    image: str = 'image',
    image_transport: str = '',
    camera_info: str = '',
    namespace: str = '',
    use_sim_time: bool = False,
    autostart: bool | None = None,
    respawn: bool = False,
    log_level: str = 'info',
) -> ProcessSpec:
    """
    Describe the perception node; raises HydranetError if there is no such parameter file.

    Parameters
    ----------
    params_file
        YAML file of parameters. If None, only the values given here are passed on, so that
        parameters set for all nodes (``SetParameter`` in a launch file) reach the node.
    model, label_set, working_width, image_transport, autostart
        Path or name of the model, one of its label sets, the width in pixels to which images are
        resized for the network, ``raw`` or ``compressed``, and whether the node configures and
        activates itself; if empty or None, the value in the parameter file is used.
    image
        Topic of the raw images; compressed images are expected on ``<image>/compressed``.
    camera_info
        Topic of the calibration; if empty, ``camera_info`` in the namespace of the images, where
        drivers publish it.
    namespace
        Namespace of the node and its outputs.
    use_sim_time
        Whether to take the time from ``/clock``.
    respawn, log_level
        As in `LAUNCH_ARGUMENTS`.

    """
    path = Path(params_file).expanduser() if params_file else None
    if path is not None and not path.is_file():
        raise HydranetError(
            f"There is no parameter file {path.absolute()}: correct 'params_file'."
        )
    # Other parameters keep the values of the parameter file.
    parameters: dict[str, ParameterValue] = {}
    if use_sim_time:
        parameters['use_sim_time'] = True
    if autostart is not None:
        parameters['autostart'] = autostart
    if working_width:
        parameters['working_width'] = parse_working_width(working_width)
    named = {'model': str(model), 'label_set': label_set, 'image_transport': image_transport}
    parameters |= {name: value for name, value in named.items() if value}
    return ProcessSpec(
        package=PACKAGE,
        executable='perception_node',
        name=NODE_NAME,
        namespace=namespace,
        parameter_files=(path,) if path else (),
        parameters=parameters,
        remappings=(('image', image), ('camera_info', camera_info or camera_info_topic(image))),
        log_level=log_level,
        respawn=respawn,
    )


def rviz_process(
    *,
    image: str = 'image',
    namespace: str = '',
    fixed_frame: str = '',
    use_sim_time: bool = False,
) -> ProcessSpec:
    """Describe rviz with the package's configuration; rviz shows points in ``fixed_frame``."""
    prefix = posixpath.join('/', namespace)
    # The argument `image` remaps the first of these topics.
    outputs = [posixpath.join(prefix, topic.lstrip('/')) for topic in RVIZ_TOPICS[1:]]
    targets = [posixpath.join(prefix, image), *outputs]
    return ProcessSpec(
        package='rviz2',
        executable='rviz2',
        name='rviz2',
        parameters={'use_sim_time': use_sim_time},
        remappings=tuple(zip(RVIZ_TOPICS, targets, strict=True)),
        arguments=(
            *('-d', str(config_path('hydranet.rviz'))),
            *(('-f', fixed_frame) if fixed_frame else ()),
        ),
    )


def rviz_if_installed(**options: Any) -> list[ProcessSpec]:
    """Return `rviz_process`; without rviz2, print a message and return nothing."""
    if any((prefix / PACKAGE_INDEX / 'rviz2').is_file() for prefix in ament_prefixes()):
        return [rviz_process(**options)]
    package = f'ros-{os.environ.get("ROS_DISTRO", "DISTRO")}-rviz2'
    print(f'rviz2 is not installed ({package}): starting without it.', file=sys.stderr)
    return []


def ament_prefixes() -> list[Path]:
    """Return the installation prefixes in ``AMENT_PREFIX_PATH``."""
    paths = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    return [Path(path) for path in paths if path]


_WORKING_WIDTH = (
    '',
    "Width of the network's input in pixels; 0: as close to the image's width as the model's "
    'trained focal lengths allow; native: not resized; empty for the value in the parameter file.',
)

LAUNCH_ARGUMENTS: Mapping[str, tuple[str, str]] = {
    'params_file': ('', 'YAML file of parameters; empty for the defaults.'),
    'model': ('', 'Path or name of the model; empty for the one in the parameter file.'),
    'label_set': (
        '',
        'Label set of the model to predict; empty for the one in the parameter file.',
    ),
    'working_width': _WORKING_WIDTH,
    'image': ('image', 'Topic of the raw images; compressed images are on <image>/compressed.'),
    'image_transport': ('', 'raw or compressed; empty for the value in the parameter file.'),
    'camera_info': (
        '',
        'Topic of the calibration; empty for camera_info in the namespace of the images.',
    ),
    'namespace': ('', 'Namespace of the node and its outputs.'),
    'rviz': ('false', 'Whether to start rviz, too.'),
    'fixed_frame': ('', "Frame in which rviz shows points; empty for the frame 'camera'."),
    'use_sim_time': ('false', 'Whether to take the time from /clock, as when a bag is replayed.'),
    'autostart': (
        '',
        'Whether the node configures and activates itself; empty for the value in the parameter '
        'file, or true.',
    ),
    'respawn': ('false', 'Whether to start the node again, after 2 s, when it ends.'),
    'log_level': ('info', 'Log level: debug, info, warn, error or fatal.'),
}
"""Arguments of ``launch/hydranet.launch.py``: name, default and description."""

REPLAY_ARGUMENTS: Mapping[str, tuple[str, str]] = {
    'bag': ('', 'Bag with images and ground truth: folder, .mcap or .db3 file.'),
    'model': ('', "Path or name of the model; empty for the package's default model."),
    'image': ('', 'Topic of the images in the bag; may be empty if the bag has only one camera.'),
    'label_set': ('', "Label set of the ground truth; empty for the model's first."),
    'working_width': _WORKING_WIDTH,
    'params_file': ('', "YAML file of the node's parameters; empty for the defaults."),
    'output': ('evaluation', 'Folder of the report.'),
    'depth_maximum': ('80.0', 'Largest true depth that is evaluated, in metres.'),
    'crop': ('', 'Crop in which depth is evaluated: garg, eigen or nyud; empty for none.'),
    'lock_step': ('true', 'Whether each image is held until the previous one has been processed.'),
    'rate': ('1.0', 'Highest playback rate, in recorded seconds per second.'),
    'start_offset': ('0.0', 'Seconds to skip at the beginning.'),
    'loop': ('false', 'Whether to repeat the bag until stopped.'),
    'record': ('', 'Bag to record the results into; empty to record nothing.'),
    'rviz': ('false', 'Whether to start rviz, too.'),
    'log_level': ('info', 'Log level: debug, info, warn, error or fatal.'),
}
"""Arguments of ``launch/replay.launch.py``: name, default and description."""


def launched_processes(arguments: Mapping[str, str]) -> list[ProcessSpec]:
    """Return the processes of ``hydranet.launch.py`` for values of `LAUNCH_ARGUMENTS`."""
    use_sim_time = is_true(arguments, 'use_sim_time')
    processes = [
        perception_process(
            params_file=arguments['params_file'],
            model=arguments['model'],
            label_set=arguments['label_set'],
            working_width=arguments['working_width'],
            image=arguments['image'],
            image_transport=arguments['image_transport'],
            camera_info=arguments['camera_info'],
            namespace=arguments['namespace'],
            use_sim_time=use_sim_time,
            autostart=is_true(arguments, 'autostart') if arguments['autostart'] else None,
            respawn=is_true(arguments, 'respawn'),
            log_level=arguments['log_level'],
        )
    ]
    if is_true(arguments, 'rviz'):
        processes += rviz_if_installed(
            image=arguments['image'],
            namespace=arguments['namespace'],
            fixed_frame=arguments['fixed_frame'],
            use_sim_time=use_sim_time,
        )
    return processes


def image_transport_environment() -> dict[str, str]:
    """Return the variables that select the Fast DDS profile, none if the user set one."""
    if any(os.environ.get(name) for name in (*FASTDDS_VARIABLES, 'FASTDDS_BUILTIN_TRANSPORTS')):
        return {}
    # Fast DDS 2 is the package fastrtps. Version 3 is fastdds; it warns about the older variable.
    prefixes = [Path(sys.prefix), *ament_prefixes()]
    is_version_3 = any((prefix / 'share' / 'fastdds').is_dir() for prefix in prefixes)
    variables = FASTDDS_VARIABLES[:1] if is_version_3 else FASTDDS_VARIABLES
    return dict.fromkeys(variables, str(config_path('fastdds_images.xml')))


def command_line(spec: ProcessSpec) -> list[str]:
    """
    Return the command that starts a process without ``launch``.

    This package's executables are taken from the folder of the current interpreter. Without an
    installation, they run as modules; this fails in the parent folder of a checkout, because
    Python then imports the checkout itself as the package. Others are found on the ``PATH``.
    """
    if spec.package != PACKAGE:
        command = [spec.executable]
    elif (installed := Path(sys.executable).with_name(spec.executable)).is_file():
        command = [str(installed)]
    else:
        command = [sys.executable, '-m', EXECUTABLES[spec.executable]]
    command += [*spec.arguments, '--ros-args', '-r', f'__node:={spec.name}']
    if spec.namespace:
        command += ['-r', f'__ns:={posixpath.join("/", spec.namespace)}']
    for source, target in spec.remappings:
        command += ['-r', f'{source}:={target}']
    for path in spec.parameter_files:
        command += ['--params-file', str(path)]
    for name, value in spec.parameters.items():
        # JSON is valid YAML, and its quotes keep a string such as "1" a string.
        command += ['-p', f'{name}:={json.dumps(value)}']
    return [*command, *spec.log_arguments]


def is_true(arguments: Mapping[str, str], name: str) -> bool:
    """Parse a launch argument that is true or false."""
    text = arguments[name].lower()
    if text not in ('true', 'false', '1', '0'):
        raise HydranetError(
            f'The launch argument {name} must be true or false, not {arguments[name]!r}.'
        )
    return text in ('true', '1')
