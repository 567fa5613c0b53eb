# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet doctor``: check this installation, the model's speed and the cameras."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import os
import time
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import add_runtime_arguments, image_size
from hydranet_ros.cli.doctor_checks import (
    check_cameras,
    check_distribution,
    check_interpreter,
    check_model,
    check_packages,
    check_shared_memory,
    check_transport,
    ERROR,
    Finding,
    OK,
    WARNING,
)
from hydranet_ros.errors import HydranetError, missing_package
from hydranet_ros.launching.process_specs import image_transport_environment

if TYPE_CHECKING:
    from hydranet_ros.runtime.predictor import Predictor

HELP = 'check the installation, the speed of the model and the cameras'
IMAGES = 10  # of the speed measurement; the first two are warm-up and do not count
FALLBACK_SIZE = (640, 480)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--model', default='', help='model to check (default: the shipped model)')
    parser.add_argument('--image', default='', help='topic of the camera images (default: all)')
    parser.add_argument(
        '--seconds', type=float, default=4.0, help='how long to observe the cameras (default: 4)'
    )
    parser.add_argument(
        '--size',
        type=image_size,
        metavar='WxH',
        help='image size for the speed measurement (default: size of the images of the first '
        'camera, else 640x480)',
    )
    add_runtime_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings as they come; the exit status is 1 if there is an error."""
    levels = []
    for finding in _findings(arguments):
        levels.append(finding.level)
        print(_line(finding), flush=True)
    errors, warnings = levels.count(ERROR), levels.count(WARNING)
    print(f'{errors} errors, {warnings} warnings, {levels.count(OK)} ok')
    return 1 if errors else 0


def _line(finding: Finding) -> str:
    """Format a finding, with its advice on a line of its own."""
    head = f'{finding.level:8} {finding.subject:16} {finding.text}'
    advice = [f'{"":25} -> {finding.advice}'] if finding.advice else []
    return '\n'.join([head, *advice])


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    """Run all checks."""
    yield from check_interpreter()
    yield check_distribution()
    yield from check_packages()
    yield check_shared_memory()
    size = arguments.size
    try:
        from hydranet_ros.node.graph_check import observe
    except ImportError as error:
        yield Finding(ERROR, 'ROS 2', str(missing_package(error)))
    else:
        shell = dict(os.environ)
        os.environ.update(image_transport_environment())  # as the nodes do
        graph = observe(arguments.seconds, _absolute(arguments.image))
        yield check_transport(graph.middleware, shell)
        yield from check_cameras(graph, arguments.image)
        sizes = (camera.size for camera in graph.cameras)
        size = size or next(filter(None, sizes), None)
    yield from _check_model(arguments, size or FALLBACK_SIZE)


def _absolute(topic: str) -> str:
    return f'/{topic.lstrip("/")}' if topic else ''


def _check_model(arguments: argparse.Namespace, size: tuple[int, int]) -> Iterator[Finding]:
    """Open the model as the node does, and measure it on noise of this width and height."""
    from hydranet_ros.resources import DEFAULT_MODEL

    try:
        from hydranet_ros.runtime.predictor import Predictor

        predictor = Predictor(
            arguments.model or DEFAULT_MODEL,
            device=arguments.device,
            backend=arguments.backend,
            precision=arguments.precision,
        )
        yield from check_model(predictor, _measure(predictor, size), size)
    except HydranetError as fault:
        yield Finding(ERROR, 'model', str(fault))
    except ImportError as error:
        yield Finding(ERROR, 'model', str(missing_package(error)))


def _measure(predictor: Predictor, size: tuple[int, int]) -> list[float]:
    """Return the durations of the predictions after the warm-up, in seconds."""
    import numpy as np

    width, height = size
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    seconds = []
    for _ in range(IMAGES):
        begin = time.perf_counter()
        predictor.predict(rgb)
        seconds.append(time.perf_counter() - begin)
    return seconds[2:]
