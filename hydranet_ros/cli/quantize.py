# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet quantize``: convert a model to 8-bit integers, and measure the loss of accuracy."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import itertools
from pathlib import Path
from typing import Any, Protocol, TYPE_CHECKING

from hydranet_ros.cli.common import add_variables, parse_variables
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hydranet_ros.model.bundle import Bundle
    from hydranet_ros.runtime.predictor import Predictor

HELP = 'quantise a model to 8-bit integers, and measure the loss of accuracy'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, or the name of a shipped model')
    add_variables(parser)
    parser.add_argument(
        '--data',
        required=True,
        metavar='DATASET_OR_BAG',
        help='data for measuring the loss: a dataset file, the name of one in config/datasets, '
        'or a bag with ground truth',
    )
    parser.add_argument('--split', default='val', help='split of the dataset (default: val)')
    parser.add_argument(
        '--calibrate',
        metavar='SPLIT_OR_IMAGES',
        help='images to measure the ranges of activations: a split of the dataset, or an image, a '
        'folder of images, a video or a bag (default: the split train, or the bag itself)',
    )
    parser.add_argument('--image', metavar='TOPIC', help='topic of the images of a bag')
    parser.add_argument(
        '--calibration-images',
        type=int,
        default=128,
        help='calibrate on at most N images (default: 128)',
    )
    parser.add_argument(
        '--limit',
        type=int,
        metavar='N',
        default=200,
        help='measure at most N images of a dataset (default: 200)',
    )
    parser.add_argument(
        '--bound',
        type=float,
        nargs=2,
        default=(1.0, 3.0),
        metavar=('POINTS', 'PERCENT'),
        help='largest acceptable loss: mIoU in percentage points, depth RMSE in percent '
        '(default: 1 3)',
    )
    parser.add_argument(
        '--label-set',
        help="label set of the model to measure (default: the dataset's, or the model's first)",
    )
    parser.add_argument('-o', '--output', type=Path, required=True, help='output file, .xml')


def run(arguments: argparse.Namespace) -> int:
    """Quantise, and measure before and after; raises HydranetError if the loss is too large."""
    from hydranet_ros.model.bundle import load_bundle
    from hydranet_ros.resources import model_path
    from hydranet_ros.runtime.predictor import Predictor
    from hydranet_ros.runtime.quantization import quantize

    for name in ('limit', 'calibration_images'):
        if getattr(arguments, name) < 1:
            raise HydranetError(f'--{name.replace("_", "-")} must be at least 1.')
    bundle = load_bundle(model_path(arguments.model))
    truth = _open_truth(arguments)
    label_set = arguments.label_set or truth.label_set(bundle)
    images = list(_calibration_images(arguments, truth))
    quantize(bundle, images, arguments.output, label_set=label_set)
    before = truth.figures(Predictor(bundle, label_set=label_set, warm_up_size=None))
    after = truth.figures(Predictor(arguments.output, warm_up_size=None))
    losses = list(_losses(before, after, arguments.bound))
    print('\n'.join(str(loss) for loss in losses))
    faults = [loss for loss in losses if not loss.acceptable]
    if faults:
        raise HydranetError(
            f'{arguments.output} loses more than the bound allows ({faults[0]}); do not use it, '
            'or calibrate on more images that resemble those of your application.'
        )
    print(f'{arguments.output}: int8, within the bound')
    return 0


@dataclass(frozen=True)
class Loss:
    """The change of a metric by quantisation."""

    figure: str
    before: float
    after: float
    worse: float  # loss in `unit`
    bound: float  # largest acceptable loss in `unit`
    unit: str

    @property
    def acceptable(self) -> bool:
        """Return whether the loss is within the bound; False for NaN."""
        return self.worse <= self.bound

    def __str__(self) -> str:
        """Describe the loss in text."""
        return (
            f'{self.figure}: {self.before:.4g} in floating point, {self.after:.4g} in int8, '
            f'{self.worse:+.2f} {self.unit} worse (bound {self.bound:g})'
        )


def _losses(
    before: Mapping[str, Any], after: Mapping[str, Any], bound: tuple[float, float]
) -> Iterator[Loss]:
    """Compare the metrics from before and after the quantisation."""
    points, percent = bound
    if 'segmentation' in before:
        old, new = (100 * each['segmentation']['mean_iou'] for each in (before, after))
        yield Loss('mIoU %', old, new, old - new, points, 'points')
    if 'depth' in before:
        old, new = (each['depth']['rmse'] for each in (before, after))
        yield Loss('depth RMSE m', old, new, 100 * (new / old - 1), percent, '%')


class _Truth(Protocol):
    """The data on which the loss is measured."""

    def label_set(self, bundle: Bundle) -> str | None:
        """Return the name of the model's label set that is measured."""
        ...

    def figures(self, predictor: Predictor) -> Mapping[str, Any]:
        """Measure a model."""
        ...

    def images(self, split: str | None, limit: int) -> Iterator[NDArray[np.uint8]]:
        """Yield at most ``limit`` evenly spaced images for calibration."""
        ...


def _open_truth(arguments: argparse.Namespace) -> _Truth:
    from hydranet_ros.bags.bag_files import is_bag

    path = Path(arguments.data).expanduser()
    if is_bag(path):
        return _BagTruth(path, arguments.image)
    return _DatasetTruth(
        arguments.data, arguments.split, parse_variables(arguments.variables), arguments.limit
    )


class _DatasetTruth:
    """The annotations of a dataset."""

    def __init__(self, config: str, split: str, variables: Mapping[str, str], limit: int) -> None:
        from hydranet_ros.data.open_dataset import load_dataset

        self._config = config
        self._variables = variables
        self._limit = limit
        self._dataset = load_dataset(config, split, variables)

    def label_set(self, bundle: Bundle) -> str | None:
        """Return the name of the model's label set with the dataset's classes."""
        dataset = self._dataset
        if dataset.label_set is None or not bundle.metadata.label_slices:
            return None
        if piece := bundle.metadata.slice_of(dataset.label_set):
            return piece.labels.name
        raise HydranetError(
            f'{dataset.name} is labelled in {dataset.label_set}, which {bundle.metadata.name} '
            'does not predict; choose another dataset.'
        )

    def figures(self, predictor: Predictor) -> Mapping[str, Any]:
        """Measure a model on evenly spaced images of the dataset."""
        from hydranet_ros.evaluation.dataset_evaluation import (
            evaluate,
            measurable_tasks,
            spread_indices,
        )
        from hydranet_ros.evaluation.measures import EvaluationProtocol

        dataset = self._dataset
        tasks = measurable_tasks(predictor, dataset)
        if not {'segmentation', 'depth'} & set(tasks):
            raise HydranetError(f'{dataset.name} has neither labels nor depth to measure with.')
        indices = spread_indices(len(dataset), self._limit)
        protocol = EvaluationProtocol(predictor.label_set)
        return evaluate(predictor, dataset, tasks, protocol, indices=indices).figures

    def images(self, split: str | None, limit: int) -> Iterator[NDArray[np.uint8]]:
        """Yield images of a split; ``train`` if None."""
        from hydranet_ros.data.open_dataset import load_dataset
        from hydranet_ros.evaluation.dataset_evaluation import spread_indices

        dataset = load_dataset(self._config, split or 'train', self._variables)
        for index in spread_indices(len(dataset), limit):
            yield dataset.load(index).image


class _BagTruth:
    """The ground truth in a bag."""

    def __init__(self, path: Path, image_topic: str | None) -> None:
        self._path = path
        self._image_topic = image_topic

    def label_set(self, bundle: Bundle) -> str | None:
        """Return the model's first label set, because a bag does not name its label set."""
        slices = bundle.metadata.label_slices
        return slices[0].labels.name if slices else None

    def figures(self, predictor: Predictor) -> Mapping[str, Any]:
        """Measure a model on all images with ground truth."""
        from hydranet_ros.bags.topics import find_topics
        from hydranet_ros.evaluation.bag_evaluation import evaluate_bag
        from hydranet_ros.evaluation.measures import EvaluationProtocol

        evaluation = evaluate_bag(
            self._path,
            lambda bag: find_topics(bag, image=self._image_topic),
            EvaluationProtocol(predictor.label_set),
            predictor=predictor,
            predicted_tasks=predictor.metadata.tasks,
        )
        figures: Mapping[str, Any] = evaluation.frames.summary()['figures']
        if not {'segmentation', 'depth'} & set(figures):
            raise HydranetError(f'{self._path} has no frame with labels or depth.')
        return figures

    def images(self, split: str | None, limit: int) -> Iterator[NDArray[np.uint8]]:
        """Yield images of the bag."""
        if split is not None:
            raise HydranetError(f'There is no file or folder {split} to calibrate on.')
        return _images_in_bag(self._path, self._image_topic, limit)


def _images_in_bag(path: Path, image_topic: str | None, limit: int) -> Iterator[NDArray[np.uint8]]:
    """Yield evenly spaced images of a bag."""
    from hydranet_ros.bags.bag_files import BagReader
    from hydranet_ros.bags.samples import open_bag_samples
    from hydranet_ros.bags.topics import find_topics
    from hydranet_ros.data.sample_source import Selection

    with BagReader(path) as bag:
        topic = find_topics(bag, image=image_topic).image
        count = bag.topics[topic].count if topic else 0
    selection = Selection(max(1, -(-count // limit)), limit)
    for sample in open_bag_samples(path, selection, image=topic).samples():
        yield sample.image


def _calibration_images(
    arguments: argparse.Namespace, truth: _Truth
) -> Iterator[NDArray[np.uint8]]:
    """Return the images for calibration."""
    from hydranet_ros.bags.bag_files import is_bag
    from hydranet_ros.data.media import open_source

    limit, source = arguments.calibration_images, arguments.calibrate
    if source is None or not Path(source).expanduser().exists():
        return truth.images(source, limit)
    if is_bag(Path(source).expanduser()):
        return _images_in_bag(Path(source).expanduser(), arguments.image, limit)
    images = open_source(source)
    every = max(1, -(-(images.count or 0) // limit))
    frames = itertools.islice(images.frames(), 0, every * limit, every)
    return (frame.read().image for frame in frames)
