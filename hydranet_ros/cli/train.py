# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet train``: train a network with a recipe."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hydranet_ros.errors import HydranetError

HELP = 'train a network with a recipe (config/training)'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('recipe', help='recipe file, or the name of one in config/training')
    parser.add_argument(
        'overrides',
        nargs='*',
        metavar='key=value',
        help='replaces a value of the recipe (steps=9, optimization.ema=0) or sets a variable '
        '(data=DIR)',
    )
    parser.add_argument(
        '--output',
        type=Path,
        help='directory for checkpoints, logs and the model (default: runs/NAME); if it holds an '
        'unfinished training, that training is resumed',
    )
    parser.add_argument(
        '--accelerator', default='auto', help='auto, cpu, cuda, mps (default: auto)'
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and print the path of the model."""
    # Let idle threads spin briefly: without spinning, a step takes 20 % longer, and libgomp's
    # default of 300000 rounds slows other processes down. Set this before torch starts threads.
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ.setdefault('GOMP_SPINCOUNT', '10000')
    from hydranet_ros.training.recipe import load_recipe

    try:
        from hydranet_ros.training.loop import Trainer
    except ModuleNotFoundError as error:
        raise HydranetError(
            f'Training needs the package {error.name}; install it with '
            "`pip install 'hydranet_ros[runtime,training]'`."
        ) from error

    recipe, variables = load_recipe(arguments.recipe, arguments.overrides)
    directory = arguments.output or Path('runs') / recipe.name
    trainer = Trainer(
        recipe, variables, directory, arguments.typed, accelerator=arguments.accelerator
    )
    model = trainer.run()
    if trainer.fabric.is_global_zero:
        if model is None:
            print(f'stopped at step {trainer.step}; the same command resumes from {directory}')
        else:
            print(model)
    return 0 if model is not None else 130
