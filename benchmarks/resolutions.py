#!/usr/bin/env python3
# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure how accurate a model is on images of other resolutions, and what it costs.

Each test image is resized, with its annotations and its focal length, and predicted at each of the
working widths. The table is in docs/experiments/resolution.md.

    python benchmarks/resolutions.py street_kitchen camvid --split val --set data=DIR
    python benchmarks/resolutions.py rooms nyud --split test --crop nyud --set data=DIR \
        --factors 1 --working-widths 320 480 640 960
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
import sys

from hydranet_ros.cli.common import add_runtime_arguments, parse_variables, working_width
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.data.sample import Dataset, Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.dataset_evaluation import (
    evaluate,
    Evaluation,
    measurable_tasks,
    spread_indices,
)
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.model.exported_model import read_model
from hydranet_ros.resources import model_path
from hydranet_ros.runtime.predictor import Predictor
from hydranet_ros.training.resizing import rescale


@dataclass(frozen=True)
class Resized:
    """A dataset whose samples are resized by a factor."""

    original: Dataset
    factor: float

    @property
    def name(self) -> str:
        return self.original.name

    @property
    def label_set(self) -> str | None:
        return self.original.label_set

    @property
    def about(self) -> Mapping[str, str]:
        return self.original.about

    def __len__(self) -> int:
        return len(self.original)

    def load(self, index: int) -> Sample:
        sample = self.original.load(index)
        return sample if self.factor == 1 else rescale(sample, self.factor)

    def tasks(self, index: int) -> frozenset[str]:
        return self.original.tasks(index)


def main() -> None:
    """Print a table in Markdown."""
    arguments = _parser().parse_args()
    model = read_model(model_path(arguments.model))
    original = load_dataset(arguments.dataset, arguments.split, parse_variables(arguments.set))
    matching = model.metadata.slice_of(original.label_set)
    indices = spread_indices(len(original), arguments.limit)
    print('| Images resized by | Working width | Network sees | mIoU | abs rel | ms |')
    print('|---|---|---|---|---|---|')
    for factor in arguments.factors:
        for width in arguments.working_widths:
            predictor = Predictor(
                model,
                device=arguments.device,
                backend=arguments.backend,
                precision=arguments.precision,
                label_set=matching.labels.name if matching else None,
                working_width=width,
            )
            dataset = Resized(original, factor)
            tasks = measurable_tasks(predictor, dataset)
            labels = predictor.label_set if 'segmentation' in tasks else None
            protocol = EvaluationProtocol(labels, (1e-3, arguments.maximum), arguments.crop)
            evaluation = evaluate(predictor, dataset, tasks, protocol, indices=indices)
            sample = dataset.load(0)
            working = predictor.predict(sample.image, sample.fx).working
            assert working is not None
            name = {0: "the model's choice", -1: 'native'}.get(width, f'{width}')
            seen = f'{working.width}x{working.height}'
            print(f'| {factor:g} | {name} | {seen} | {_figures(evaluation)} |', flush=True)
            predictor.close()


def _figures(evaluation: Evaluation) -> str:
    figures = evaluation.figures
    iou = f'{figures["segmentation"]["mean_iou"]:.1%}' if 'segmentation' in figures else ''
    error = f'{figures["depth"]["abs_rel"]:.3f}' if 'depth' in figures else ''
    return f'{iou} | {error} | {evaluation.milliseconds["total"]["median"]:.0f}'


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('model')
    parser.add_argument('dataset')
    parser.add_argument('--split', default='test')
    parser.add_argument('--limit', type=int, help='measure at most N images, evenly spaced')
    parser.add_argument('--crop', choices=('garg', 'eigen', 'nyud'))
    parser.add_argument('--maximum', type=float, default=80.0, help='of true depth, metres')
    parser.add_argument(
        '--factors', type=float, nargs='+', default=[0.5, 1.0, 1.5, 2.0, 3.0], metavar='FACTOR'
    )
    parser.add_argument(
        '--working-widths',
        type=working_width,
        nargs='+',
        default=[-1, 0],
        metavar='WIDTH',
        help="native, 0 (the model's choice) or pixels",
    )
    parser.add_argument('--set', nargs='*', default=[], metavar='NAME=VALUE')
    add_runtime_arguments(parser)
    return parser


if __name__ == '__main__':
    try:
        main()
    except HydranetError as error:
        sys.exit(f'resolutions: {error}')
