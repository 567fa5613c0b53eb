# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet distill``: let a teacher annotate the images of a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
import os

from hydranet_ros.errors import HydranetError

HELP = 'let a teacher annotate the images that lack labels or depth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'config', help='distillation file, or the name of one in config/distillation'
    )
    parser.add_argument(
        'overrides',
        nargs='*',
        metavar='KEY=VALUE',
        help='replaces a value of the file, e.g. split=val or segmentation.confidence=0.7; '
        'data=FOLDER is the folder to read, distilled=FOLDER the folder to write',
    )
    parser.add_argument(
        '--measure',
        action='store_true',
        help='compare the teacher with the annotations of the dataset; write nothing',
    )
    parser.add_argument('--limit', type=int, help='with --measure: maximum number of images')


def run(arguments: argparse.Namespace) -> int:
    """Write the missing annotations, or measure the teacher."""
    from tqdm import tqdm

    from hydranet_ros.evaluation.report import to_json
    from hydranet_ros.training.distillation.distill import Distillation, load_config

    config, variables = load_config(arguments.config, arguments.overrides)
    distillation = Distillation(config, variables)

    def progress(indices: Sequence[int]) -> Iterator[int]:
        return iter(tqdm(indices, desc=distillation.dataset.name, unit='image', disable=None))

    if arguments.measure:
        print(to_json(distillation.measure(arguments.limit, progress)), end='')
        return 0
    rank, world_size = _place_among_processes()
    done = distillation.run(rank, world_size, progress)
    share = f' (process {rank} of {world_size})' if world_size > 1 else ''
    print(
        f'{distillation.dataset.name}{share}: {done["written"]} written, {done["kept"]} kept, '
        f'{done["edited"]} kept because edited by hand, {done["annotated"]} already annotated.'
    )
    return 0


def _place_among_processes() -> tuple[int, int]:
    """Return rank and world size as torchrun sets them, (0, 1) without it."""
    rank, world_size = os.environ.get('RANK', '0'), os.environ.get('WORLD_SIZE', '1')
    try:
        place = int(rank), int(world_size)
    except ValueError:
        place = (0, 0)
    if not 0 <= place[0] < place[1]:
        raise HydranetError(
            f'RANK={rank} of WORLD_SIZE={world_size} is impossible; unset both or start with '
            'torchrun.'
        )
    return place
