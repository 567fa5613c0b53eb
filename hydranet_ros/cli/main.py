# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``hydranet`` and the table of its subcommands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
import os
import sys

from hydranet_ros import __version__
from hydranet_ros.errors import HydranetError, missing_package

COMMANDS = {
    'doctor': 'hydranet_ros.cli.doctor',
    'info': 'hydranet_ros.cli.info',
    'convert': 'hydranet_ros.cli.convert',
    'export': 'hydranet_ros.cli.export',
    'bench': 'hydranet_ros.cli.bench',
    'quantize': 'hydranet_ros.cli.quantize',
    'check': 'hydranet_ros.cli.check',
    'train': 'hydranet_ros.cli.train',
    'distill': 'hydranet_ros.cli.distill',
    'evaluate': 'hydranet_ros.cli.evaluate',
    'demo': 'hydranet_ros.cli.demo',
    'run': 'hydranet_ros.cli.run',
    'reconstruct': 'hydranet_ros.cli.reconstruct',
    'view': 'hydranet_ros.cli.view',
    'make-bag': 'hydranet_ros.cli.make_bag',
    'evaluate-bag': 'hydranet_ros.cli.evaluate_bag',
    'replay': 'hydranet_ros.cli.replay',
    'compare': 'hydranet_ros.cli.compare',
}
"""
Maps each subcommand to its module. A module has ``HELP``, ``add_arguments(parser)`` and
``run(arguments) -> exit status``. It imports heavy and optional packages only in ``run``.
"""

_ASSIGNMENTS = ('overrides', 'variables')
"""Names of the argument that holds NAME=VALUE; each command has at most one of them."""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all subcommands."""
    parser = argparse.ArgumentParser(
        prog='hydranet', description='Joint semantic segmentation and metric depth.'
    )
    parser.add_argument('--version', action='version', version=f'hydranet_ros {__version__}')
    subparsers = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, module_name in COMMANDS.items():
        module = import_module(module_name)
        subparser = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; NAME=VALUE may also follow options, which argparse does not allow."""
    parser = build_parser()
    parsed, rest = parser.parse_known_args(words)
    known = next((key for key in _ASSIGNMENTS if hasattr(parsed, key)), None)
    if rest and (known is None or any(word.startswith('-') for word in rest)):
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    if known is not None:
        setattr(parsed, known, [*getattr(parsed, known), *rest])
    parsed.typed = ['hydranet', *words]
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run ``hydranet``.

    The exit status is 0 for success, 1 after an error (which is printed in one sentence), 2 for
    wrong usage and 130 after an interrupt.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        parsed = _parse(words)
    except ImportError as error:
        print(f'hydranet: {missing_package(error)}', file=sys.stderr)
        return 1
    try:
        return int(parsed.run(parsed))
    except (HydranetError, ImportError) as error:
        fault = missing_package(error) if isinstance(error, ImportError) else error
        print(f'hydranet {parsed.command}: {fault}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'hydranet {parsed.command}: interrupted', file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The program that reads the output, e.g. head, has ended.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == '__main__':
    sys.exit(main())
