# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet quantize``: a model in 8-bit integers, and what that costs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import itertools
from pathlib import Path
from typing import Any, TYPE_CHECKING

from hydranet_ros.cli.arguments import parse_variables
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hydranet_ros.bundle import Bundle
    from hydranet_ros.predictor import Predictor
    from hydranet_ros.training.sample import Dataset

HELP = 'quantise a model to 8-bit integers and measure the loss'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('model', help='model file, or the name of a shipped model')
    parser.add_argument(
        '--data',
        required=True,
        metavar='DATASET',
        help='dataset file, or the name of one in config/datasets, on which the loss is measured',
    )
    parser.add_argument('--split', default='val', help='its split (default: val)')
    parser.add_argument(
        '--calibrate',
        metavar='SPLIT_OR_IMAGES',
        default='train',
        help='what the ranges are observed on: a split of DATASET, or an image, a folder of '
        'images or a video (default: train)',
    )
    parser.add_argument(
        '--set',
        nargs='+',
        default=[],
        metavar='NAME=VALUE',
        help='variables of the dataset file, such as data=FOLDER',
    )
    parser.add_argument(
        '--calibration-images', type=int, default=128, help='at most so many (default: 128)'
    )
    parser.add_argument('--images', type=int, default=200, help='measure so many (default: 200)')
    parser.add_argument(
        '--bound',
        type=float,
        nargs=2,
        default=(1.0, 3.0),
        metavar=('POINTS', 'PERCENT'),
        help='largest loss that is good: mIoU in points, depth RMSE in percent (default: 1 3)',
    )
    parser.add_argument('--label-set', help="label set (default: the dataset's)")
    parser.add_argument('-o', '--output', type=Path, required=True, help='the file, .xml')


def run(arguments: argparse.Namespace) -> int:
    """Quantise, measure before and after; 1 if the loss is over the bound."""
    from hydranet_ros.bundle import load_bundle
    from hydranet_ros.predictor import Predictor
    from hydranet_ros.quantization import quantize
    from hydranet_ros.resources import model_path
    from hydranet_ros.training.datasets import load_dataset

    for name in ('images', 'calibration_images'):
        if getattr(arguments, name) < 1:
            raise HydranetError(f'--{name.replace("_", "-")} must be at least 1.')
    bundle = load_bundle(model_path(arguments.model))
    dataset = load_dataset(arguments.data, arguments.split, parse_variables(arguments.set))
    label_set = arguments.label_set or _matching_label_set(bundle, dataset)
    quantize(bundle, list(_calibration_images(arguments)), arguments.output, label_set=label_set)
    float_model = Predictor(bundle, label_set=label_set, warm_up_size=None)
    small_model = Predictor(arguments.output, warm_up_size=None)
    before = _figures(float_model, dataset, arguments.images)
    after = _figures(small_model, dataset, arguments.images)
    losses = list(_losses(before, after, arguments.bound))
    print('\n'.join(str(loss) for loss in losses))
    faults = [loss for loss in losses if not loss.acceptable]
    if faults:
        raise HydranetError(
            f'{arguments.output} loses more than the bound allows ({faults[0]}); do not use it, '
            'or calibrate on more images like those of its use.'
        )
    print(f'{arguments.output}: int8, within the bound')
    return 0


@dataclass(frozen=True)
class Loss:
    """A figure before and after, how it changed for the worse, and how much of that is good."""

    figure: str
    before: float
    after: float
    worse: float
    bound: float
    unit: str

    @property
    def acceptable(self) -> bool:
        """Whether it is within the bound; a figure that is no number is not."""
        return self.worse <= self.bound

    def __str__(self) -> str:
        """Return it in words."""
        return (
            f'{self.figure}: {self.before:.4g} in floating point, {self.after:.4g} in int8, '
            f'{self.worse:+.2f} {self.unit} worse (bound {self.bound:g})'
        )


def _losses(
    before: Mapping[str, Any], after: Mapping[str, Any], bound: tuple[float, float]
) -> Iterator[Loss]:
    """Compare the figures that both have."""
    points, percent = bound
    if 'segmentation' in before:
        old, new = (100 * each['segmentation']['mean_iou'] for each in (before, after))
        yield Loss('mIoU %', old, new, old - new, points, 'points')
    if 'depth' in before:
        old, new = (each['depth']['all_pixels']['rmse'] for each in (before, after))
        yield Loss('depth RMSE m', old, new, 100 * (new / old - 1), percent, '%')


def _figures(predictor: Predictor, dataset: Dataset, limit: int) -> dict[str, dict[str, Any]]:
    """Measure a model on at most so many images, spread evenly over the dataset."""
    from hydranet_ros.evaluation.evaluate import evaluate
    from hydranet_ros.evaluation.measures import Protocol

    annotated = dataset.tasks(0)
    tasks = [task for task in predictor.metadata.tasks if task in annotated]
    if predictor.label_set is None or dataset.label_set is None:
        tasks = [task for task in tasks if task != 'segmentation']
    if not {'segmentation', 'depth'} & set(tasks):
        raise HydranetError(f'{dataset.name} has neither labels nor depth to measure with.')
    indices = _spread(len(dataset), limit)
    return evaluate(
        predictor, dataset, tasks, Protocol(predictor.label_set), indices=indices
    ).figures


def _matching_label_set(bundle: Bundle, dataset: Dataset) -> str | None:
    """Return the name of the model's label set that has the dataset's classes."""
    from hydranet_ros.labels import load_label_set

    if dataset.label_set is None or not bundle.metadata.label_slices:
        return None
    classes = load_label_set(dataset.label_set).classes
    for piece in bundle.metadata.label_slices:
        if piece.labels.classes == classes:
            return piece.labels.name
    raise HydranetError(
        f'{dataset.name} is labelled in {dataset.label_set}, which {bundle.metadata.name} does '
        'not predict; choose another dataset.'
    )


def _calibration_images(arguments: argparse.Namespace) -> Iterator[NDArray[np.uint8]]:
    """Yield the images that ranges are observed on."""
    from hydranet_ros.media import open_source
    from hydranet_ros.training.datasets import load_dataset

    count, source = arguments.calibration_images, arguments.calibrate
    if Path(source).exists():
        for frame in itertools.islice(open_source(source).frames(), count):
            yield frame.read()
        return
    dataset = load_dataset(arguments.data, source, parse_variables(arguments.set))
    for index in _spread(len(dataset), count):
        yield dataset.load(index).image


def _spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` indices, evenly over ``count``."""
    import numpy as np

    places = np.linspace(0, count - 1, min(count, limit))
    return [int(place) for place in places.round()]
