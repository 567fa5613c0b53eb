# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet check``: show what a dataset, a folder or a bag contains, before training on it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import (
    add_depth_unit,
    add_pose_arguments,
    add_topic_arguments,
    add_variables,
    open_bag,
    parse_variables,
    positive,
)
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.data.sample import Dataset, Sample
    from hydranet_ros.data.sample_source import SampleSource
    from hydranet_ros.model.labels import LabelSet

HELP = 'show what a dataset, folder or bag contains: counts, classes, depth, faults, pictures'

_SHOWN = 8
"""Images on the sheet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'input',
        help='dataset file, or the name of one in config/datasets; folder with image/ and '
        'annotations; bag',
    )
    add_variables(parser)
    parser.add_argument('--split', default='train', help='split of a dataset (default: train)')
    parser.add_argument('--label-set', help='label set of a folder or bag')
    parser.add_argument('--every', type=positive, default=1, metavar='N', help='every N-th image')
    add_depth_unit(parser)
    parser.add_argument(
        '--sheet',
        type=Path,
        default=Path('check.png'),
        help='picture of some images with their annotations (default: check.png)',
    )
    add_pose_arguments(add_topic_arguments(parser))


@dataclass
class _Reading:
    """The samples of the input, and what could not be read."""

    name: str
    count: int | None
    samples: Iterator[Sample]
    label_set: LabelSet | None
    faults: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)  # annotations without an image


def run(arguments: argparse.Namespace) -> int:
    """Print counts and faults; return 1 if a file could not be read."""
    from tqdm import tqdm

    from hydranet_ros.data.media import write_image
    from hydranet_ros.evaluation.data_check import DataCheck, draw_sheet, listed

    reading = _open(arguments)
    check = DataCheck(reading.label_set)
    shown: list[Sample] = []
    every = max(1, -(-(reading.count or 1) // _SHOWN))
    bar = tqdm(reading.samples, reading.name, reading.count, unit='image', disable=None)
    for index, sample in enumerate(bar):
        check.add(sample)
        if index % every == 0 and len(shown) < _SHOWN:
            shown.append(sample)
    print(f'{reading.name}: {check.images} images\n{check.report()}\n')
    faults = list(check.faults())
    if reading.unmatched:
        faults.append(f'Annotations without an image: {listed(reading.unmatched)}.')
    for fault in (*faults, *reading.faults):
        print(f'! {fault}')
    if shown:
        write_image(arguments.sheet, draw_sheet(shown, check, reading.name))
        print(f'Pictures: {arguments.sheet}')
    return 1 if reading.faults else 0


def _open(arguments: argparse.Namespace) -> _Reading:
    from hydranet_ros.bags.bag_files import is_bag
    from hydranet_ros.data.open_dataset import load_dataset, open_folder
    from hydranet_ros.data.sample_source import Selection
    from hydranet_ros.model.labels import load_label_set

    given = load_label_set(arguments.label_set) if arguments.label_set else None
    path = Path(arguments.input).expanduser()
    if is_bag(path):
        return _of_bag(open_bag(arguments, path, Selection(arguments.every)), given)
    if path.is_dir():
        dataset = open_folder(path, arguments.depth_unit)
    else:
        variables = parse_variables(arguments.variables)
        dataset = load_dataset(arguments.input, arguments.split, variables)
    return _of_dataset(dataset, arguments.every, given)


def _of_dataset(dataset: Dataset, every: int, given: LabelSet | None) -> _Reading:
    from hydranet_ros.model.labels import load_label_set

    faults: list[str] = []

    def load(index: int) -> Sample | None:
        try:
            return dataset.load(index)
        except HydranetError as error:
            faults.append(str(error))
            return None

    def samples() -> Iterator[Sample]:
        yield from filter(None, map(load, range(0, len(dataset), every)))

    labels = given or (load_label_set(dataset.label_set) if dataset.label_set else None)
    count = len(range(0, len(dataset), every))
    unmatched = [str(path) for path in getattr(dataset, 'unmatched', ())]
    return _Reading(dataset.name, count, samples(), labels, faults, unmatched)


def _of_bag(source: SampleSource, given: LabelSet | None) -> _Reading:
    faults: list[str] = []

    def samples() -> Iterator[Sample]:
        try:
            yield from source.samples()
        except HydranetError as error:
            faults.append(f'Reading ended early: {error}')

    return _Reading(source.name, source.count, samples(), given, faults)
