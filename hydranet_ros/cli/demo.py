# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet demo``: play a video to the perception node over ROS 2, and record the results."""

from __future__ import annotations

import argparse
import dataclasses
from importlib.util import find_spec
from pathlib import Path
import shutil
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import sigterm_as_interrupt
from hydranet_ros.errors import HydranetError, naming_write_faults

if TYPE_CHECKING:
    from hydranet_ros.cli.demo_input import CameraBag
    from hydranet_ros.cli.demo_model import DemoModel
    from hydranet_ros.launching.process_group import ProcessGroup

HELP = 'play a video to the perception node over ROS 2, and record and show the results'

_STARTUP = 120.0  # s; loading the model may take long on a slow machine
_QUIET = 3.0  # s without a message after which the recording is taken as complete


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--video',
        metavar='FILE',
        help='a video, or a rosbag2 of your camera (default: a street video from PyPI)',
    )
    parser.add_argument(
        '--image', help='topic of the images in the rosbag2 (default: the only image topic)'
    )
    parser.add_argument(
        '--model',
        help='model file, or the name of a shipped model (default: the default of the package)',
    )
    parser.add_argument(
        '--fx',
        type=float,
        help="focal length of the video's camera in pixels (default: the image width)",
    )
    parser.add_argument('--max-frames', type=int, help='use only the first N frames of the video')
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        default=Path('demo_output'),
        help='folder for the results (default: demo_output)',
    )
    parser.add_argument(
        '--cache',
        type=Path,
        default=Path('.cache'),
        help='folder for the downloaded video (default: .cache)',
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    from hydranet_ros.cli.demo_input import prepare_camera
    from hydranet_ros.cli.demo_model import choose_model
    from hydranet_ros.cli.demo_report import print_table, write_pictures

    if find_spec('rclpy') is None:
        raise HydranetError(
            'The demo needs ROS 2: source your distribution, or get one from PyPI with make env.'
        )
    with TemporaryDirectory(prefix='hydranet_demo_') as name, sigterm_as_interrupt():
        folder = Path(name)
        model = choose_model(arguments.model, folder)
        camera = prepare_camera(arguments, folder)
        print(f'Model:  {model.description}')
        print(f'Camera: {camera.description}')
        recording = _replace_recording(arguments.output)
        print('Starting player, perception node and recorder ...', flush=True)
        _replay(camera, model, recording, folder)
        print_table(camera, model, recording)
        write_pictures(camera, model, recording, arguments.output)
    return 0


def _replace_recording(output: Path) -> Path:
    """Remove the recording of an earlier demo and return the path of the new one."""
    recording = output / 'bag'
    with naming_write_faults(output):
        output.mkdir(parents=True, exist_ok=True)
        if (recording / 'metadata.yaml').is_file():
            shutil.rmtree(recording)
    return recording


def _replay(camera: CameraBag, model: DemoModel, recording: Path, folder: Path) -> None:
    """Run the player, the perception node and the recorder."""
    from hydranet_ros.launching.process_group import private_graph_environment, ProcessGroup
    from hydranet_ros.launching.process_specs import PACKAGE, perception_process, ProcessSpec
    from hydranet_ros.messages.topic_names import base_topic

    node = perception_process(model=model.path, image=base_topic(camera.image_topic))
    node = dataclasses.replace(
        node,
        parameters={
            **node.parameters,
            'image_transport': 'compressed' if camera.compressed else 'raw',
            'warm_up_width': camera.width,
            'warm_up_height': camera.height,
            'depth_encoding': '32FC1',  # what the report reads
        },
    )
    recorder = ProcessSpec(
        package=PACKAGE,
        executable='bag_recorder',
        name='bag_recorder',
        parameters={
            'bag': str(recording),
            'topics': [*camera.topics, *model.topics, '/diagnostics'],
            'quiet_timeout': _QUIET,
        },
    )
    player = ProcessSpec(
        package=PACKAGE,
        executable='bag_player',
        name='bag_player',
        parameters={
            'bag': str(camera.path),
            'topics': list(camera.topics),
            'restamp': True,
            # The two subscribers are the node and the recorder.
            'wait_for': [camera.image_topic],
            'wait_subscribers': 2,
            'wait_timeout': _STARTUP,
        },
    )
    logs = folder / 'log'
    logs.mkdir()
    with ProcessGroup(logs, private_graph_environment(logs)) as group:
        _play(group, (node, recorder, player), camera.duration)


def _play(group: ProcessGroup, specs: tuple, duration: float) -> None:
    """Start the processes, and wait until everything is played and recorded."""
    node, recorder, player = (group.start(spec) for spec in specs)
    try:
        group.wait(player, recorder, timeout=2 * _STARTUP + 2 * duration)
    except Exception:
        print(f'Output of the perception node:\n{node.last_lines()}')
        raise
