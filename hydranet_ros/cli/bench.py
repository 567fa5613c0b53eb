# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet bench``: measure the speed of a model on this machine."""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import add_working_width, image_size
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.model.bundle import Bundle
    from hydranet_ros.model.exported_model import ExportedModel
    from hydranet_ros.runtime.benchmark import Report

HELP = 'measure the speed of a model on this machine'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, exported file, or name of a shipped model')
    parser.add_argument(
        '--sizes',
        type=image_size,
        nargs='+',
        default=[(1200, 350)],
        metavar='WxH',
        help='image sizes (default: 1200x350)',
    )
    parser.add_argument('--backends', nargs='+', default=['auto'], help='runtimes (default: auto)')
    parser.add_argument(
        '--precisions',
        nargs='+',
        default=['auto'],
        help='precisions (default: auto); those that a runtime lacks are skipped with a message',
    )
    parser.add_argument(
        '--device',
        default='auto',
        help='auto, cpu, cuda, cuda:N; with OpenVINO also gpu, npu (default: auto)',
    )
    add_working_width(parser, default='native')
    parser.add_argument('--rounds', type=int, default=20, help='images per case (default: 20)')
    parser.add_argument(
        '--against',
        choices=('eager',),
        help='also run plain eager torch in float32 with numpy and OpenCV, alternating with the '
        'other runtimes, and print the speed-up',
    )
    parser.add_argument(
        '--plain-model',
        metavar='MODEL',
        help='.safetensors model for --against, if the measured model is an exported file',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the results to FILE')


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the results."""
    from hydranet_ros.model.bundle import Bundle, load_bundle
    from hydranet_ros.model.exported_model import read_model
    from hydranet_ros.resources import model_path
    from hydranet_ros.runtime.benchmark import Case, measure

    if arguments.rounds < 1:
        raise HydranetError('--rounds must be at least 1.')
    model = read_model(model_path(arguments.model))
    plain = None
    if arguments.against:
        if arguments.plain_model:
            plain = load_bundle(model_path(arguments.plain_model))
        elif isinstance(model, Bundle):
            plain = model
        else:
            raise HydranetError(
                f'{arguments.model} is an exported graph: give --plain-model with the '
                '.safetensors model that it was exported from.'
            )
    ways = _possible_ways(model, arguments)
    cases = [Case(*way, size) for size in arguments.sizes for way in ways]
    report = measure(
        model,
        cases,
        rounds=arguments.rounds,
        device=arguments.device,
        plain=plain,
        working_width=arguments.working_width,
        progress=lambda text: print(text, file=sys.stderr),
    )
    print(table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.to_dict(), indent=2) + '\n')
    return 0


def _possible_ways(
    model: Bundle | ExportedModel, arguments: argparse.Namespace
) -> list[tuple[str, str]]:
    """Return the runtimes and precisions that can run the model; print why others cannot."""
    ways = list(itertools.product(arguments.backends, arguments.precisions))
    faults = {way: _fault(model, way, arguments.device) for way in ways}
    possible = [way for way in ways if not faults[way]]
    for fault in filter(None, faults.values()):
        print(f'skipped: {fault}', file=sys.stderr)
    if not possible:
        raise HydranetError(f'Nothing to measure: {faults[ways[0]]}')
    return possible


def _fault(model: Bundle | ExportedModel, way: tuple[str, str], device: str) -> str | None:
    """Return why a runtime and precision cannot run the model, None if they can."""
    from hydranet_ros.runtime.predictor import Predictor

    backend, precision = way
    try:
        Predictor(
            model, backend=backend, precision=precision, device=device, warm_up_size=None
        ).close()
    except HydranetError as error:
        return str(error)
    return None


def table(report: Report) -> str:
    """Return the results as lines of text."""
    lines = [f'{key}: {value}' for key, value in report.machine.items()]
    lines.append(f'model: {report.model}, {report.rounds} images per case, milliseconds')
    head = (
        f'{"size":>10} {"backend":12} {"device":7} {"precision":9} {"forward":>8} {"p95":>7} '
        f'{"total":>7} {"p95":>7} {"images/s":>8} {"load s":>7} {"first s":>7} {"MB":>6} '
        f'{"speed-up":>8}'
    )
    lines += ['', head]
    for result in report.results:
        size = f'{result.size[0]}x{result.size[1]}'
        memory = '' if result.memory is None else f'{result.memory:.0f}'
        speedup = '' if result.speedup is None else f'{result.speedup:.1f}x'
        lines.append(
            f'{size:>10} {result.backend:12} {result.device:7} {result.precision:9} '
            f'{result.forward.median:8.1f} {result.forward.p95:7.1f} '
            f'{result.end_to_end.median:7.1f} {result.end_to_end.p95:7.1f} {result.rate:8.1f} '
            f'{result.load:7.2f} {result.first:7.2f} {memory:>6} {speedup:>8}'
        )
    for size, timing in report.plain.items():
        lines.append(
            f'{size:>10} plain eager torch, numpy and OpenCV: {timing.median:.1f} '
            f'(p95 {timing.p95:.1f})'
        )
    return '\n'.join(lines)
