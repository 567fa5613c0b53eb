# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Arguments that several subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hydranet_ros.errors import HydranetError


def add_runtime_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where and how the network runs, as :class:`Predictor` takes it."""
    parser.add_argument(
        '--device', default='auto', help='auto, cpu, cuda, cuda:N; with OpenVINO also gpu, npu'
    )
    parser.add_argument(
        '--backend',
        default='auto',
        help='runtime of the network: auto, openvino, onnxruntime, torch, torch-compile',
    )
    parser.add_argument('--precision', default='auto', help='auto, or one that the runtime has')


def parse_variables(assignments: Sequence[str]) -> dict[str, str]:
    """
    Parse ``NAME=VALUE`` arguments.

    Raises
    ------
    HydranetError
        If one is no assignment.

    """
    variables = {}
    for assignment in assignments:
        name, equals, value = assignment.partition('=')
        if not equals:
            raise HydranetError(f'{assignment!r} is no variable: write NAME=VALUE.')
        variables[name] = value
    return variables
