# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Code shared by several subcommands: arguments, opening models and bags."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
import signal
import sys
from typing import Any, TYPE_CHECKING

from hydranet_ros import __version__
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.data.sample_source import SampleSource, Selection
    from hydranet_ros.runtime.predictor import Predictor


def image_size(text: str) -> tuple[int, int]:
    """Parse ``WIDTHxHEIGHT`` into (width, height), in pixels."""
    try:
        width, height = (int(part) for part in text.lower().split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is not WIDTHxHEIGHT, e.g. 640x480') from None
    if min(width, height) < 32:
        raise argparse.ArgumentTypeError(f'{text} is smaller than 32x32 pixels')
    return width, height


def positive(text: str) -> int:
    """Parse a positive whole number."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a positive whole number')
    return int(text)


def add_variables(parser: argparse.ArgumentParser) -> None:
    """Declare the variables of a dataset file."""
    parser.add_argument(
        'variables',
        nargs='*',
        metavar='NAME=VALUE',
        help='variables of the dataset file, such as data=FOLDER',
    )


def add_depth_unit(parser: argparse.ArgumentParser) -> None:
    """Declare the unit of depth in a folder without a dataset file."""
    parser.add_argument(
        '--depth-unit',
        type=float,
        default=0.001,
        help="metres per step of a folder's depth PNGs (default: 0.001)",
    )


def working_width(text: str) -> int:
    """Parse a working width, see `parse_working_width`."""
    from hydranet_ros.camera.working_width import parse_working_width

    try:
        return parse_working_width(text)
    except HydranetError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_working_width(parser: argparse.ArgumentParser, default: str = '0') -> None:
    """Declare the working width of the :class:`Predictor`."""
    parser.add_argument(
        '--working-width',
        type=working_width,
        default=default,
        metavar='WIDTH',
        help="width of the network's input in pixels; 0: as close to the image's width as the "
        f"model's trained focal lengths allow; native: not resized (default: {default})",
    )


def add_runtime_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare device, backend and precision of the :class:`Predictor`."""
    parser.add_argument(
        '--device', default='auto', help='auto, cpu, cuda, cuda:N; with OpenVINO also gpu, npu'
    )
    parser.add_argument(
        '--backend',
        default='auto',
        help='runtime of the network: auto, openvino, onnxruntime, torch, torch-compile',
    )
    parser.add_argument(
        '--precision', default='auto', help='auto, float32, bfloat16, float16 or int8'
    )


def open_predictor(arguments: argparse.Namespace, dataset_labels: str | None = None) -> Predictor:
    """
    Open the model that the arguments name.

    The predicted label set is ``--label-set``, else the model's label set with the same classes as
    the label set named ``dataset_labels``, else the model's first.
    """
    from hydranet_ros.model.exported_model import read_model
    from hydranet_ros.resources import model_path
    from hydranet_ros.runtime.predictor import Predictor

    model = read_model(model_path(arguments.model))
    matching = model.metadata.slice_of(dataset_labels)
    names = [piece.labels.name for piece in model.metadata.label_slices]
    if len(names) > 1 and not (arguments.label_set or matching):
        print(
            f'Label set: {names[0]}. The model also has {", ".join(names[1:])}; choose with '
            '--label-set.',
            file=sys.stderr,
        )
    return Predictor(
        model,
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
        label_set=arguments.label_set or (matching.labels.name if matching else None),
        working_width=arguments.working_width,
    )


def add_topic_arguments(
    parser: argparse.ArgumentParser,
    tasks: Collection[str] = ('depth', 'segmentation'),
    tolerance: float = 0.02,
) -> argparse._ArgumentGroup:
    """Declare the topics of a bag; every command that reads a camera from a bag has these."""
    topics = parser.add_argument_group('topics of a bag')
    topics.add_argument('--image', help='images (default: the only topic of camera images)')
    topics.add_argument(
        '--camera-info', help='calibration (default: camera_info in the namespace of the images)'
    )
    for task in tasks:
        other = ', else the depth camera' if task == 'depth' else ''
        topics.add_argument(
            f'--true-{task}', help=f'true {task} (default: /ground_truth/{task}{other})'
        )
    if not tasks:
        return topics
    topics.add_argument(
        '--tolerance',
        type=float,
        default=tolerance,
        metavar='SECONDS',
        help='largest difference between the stamps of an image and its annotations (default: '
        f'{tolerance:g})',
    )
    return topics


def add_pose_arguments(topics: argparse._ArgumentGroup) -> None:
    """Declare where the poses of the camera in a bag come from."""
    topics.add_argument(
        '--pose', help="the camera's pose (PoseStamped or Odometry) instead of that in /tf"
    )
    topics.add_argument('--fixed-frame', help='fixed frame in /tf (default: the root of the tree)')


def named_topics(arguments: argparse.Namespace, prefix: str) -> dict[str, str]:
    """Return the topics in the arguments whose names start with a prefix, by task."""
    from hydranet_ros.model.tasks import TASKS

    topics = {task: getattr(arguments, f'{prefix}{task}', None) for task in TASKS}
    return {task: topic for task, topic in topics.items() if topic}


def open_bag(arguments: argparse.Namespace, path: Path, selection: Selection) -> SampleSource:
    """Open the images of a bag, with the topics in the arguments."""
    from hydranet_ros.bags.samples import open_bag_samples

    return open_bag_samples(
        path,
        selection,
        image=arguments.image,
        camera_info=arguments.camera_info,
        truths=named_topics(arguments, 'true_'),
        pose=arguments.pose,
        fixed_frame=arguments.fixed_frame,
        tolerance=arguments.tolerance,
    )


def about_backend(predictor: Predictor) -> dict[str, Any]:
    """Describe the runtime of a model for a report."""
    used = predictor.backend
    return {
        'backend': used.name,
        'device': used.device,
        'precision': used.precision,
        'working_width': predictor.working_width,
    }


def software_versions() -> dict[str, str]:
    """Describe the software for a report."""
    from importlib.metadata import version
    import platform

    return {
        'hydranet_ros': __version__,
        'python': platform.python_version(),
        'numpy': version('numpy'),
    }


def parse_variables(assignments: Sequence[str]) -> dict[str, str]:
    """Parse ``NAME=VALUE`` arguments."""
    variables = {}
    for assignment in assignments:
        name, equals, value = assignment.partition('=')
        if not equals:
            raise HydranetError(f'{assignment!r} is not NAME=VALUE.')
        variables[name] = value
    return variables


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, so that no process or temporary file is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
