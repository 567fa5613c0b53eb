# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet evaluate``: measure a model on a dataset with the protocol of the benchmarks."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TYPE_CHECKING

from hydranet_ros.cli.common import (
    about_backend,
    add_runtime_arguments,
    add_variables,
    add_working_width,
    open_predictor,
    parse_variables,
    software_versions,
)
from hydranet_ros.errors import HydranetError, naming_write_faults

if TYPE_CHECKING:
    from hydranet_ros.data.sample import Dataset
    from hydranet_ros.evaluation.measures import EvaluationProtocol
    from hydranet_ros.runtime.predictor import Predictor

HELP = 'measure a model on a dataset: mIoU, depth errors, times, pictures'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, or the name of a shipped model')
    parser.add_argument('dataset', help='dataset file, or the name of one in config/datasets')
    add_variables(parser)
    parser.add_argument('--split', default='val', help='split of the dataset (default: val)')
    parser.add_argument(
        '--tasks', nargs='+', help='tasks to measure (default: all that model and dataset share)'
    )
    parser.add_argument('--label-set', help="label set of the model (default: the dataset's)")
    parser.add_argument(
        '--depth-range',
        type=float,
        nargs=2,
        default=(1e-3, 80.0),
        metavar=('MINIMUM', 'MAXIMUM'),
        help='range of true depth that counts, in metres (default: 0.001 80; NYUD: 0.001 10)',
    )
    parser.add_argument(
        '--crop', choices=('garg', 'eigen', 'nyud'), help='measure depth in this part of the image'
    )
    parser.add_argument(
        '--limit', type=int, help='measure at most N images, evenly spaced', metavar='N'
    )
    parser.add_argument('--json', type=Path, help='write all metrics into this file')
    parser.add_argument(
        '--sheet',
        type=Path,
        help='draw the best, median and worst images into this file (.png or .jpg)',
    )
    add_runtime_arguments(parser)
    add_working_width(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the metrics, and write the requested files."""
    import numpy as np
    from tqdm import tqdm

    from hydranet_ros.data.open_dataset import load_dataset
    from hydranet_ros.evaluation.dataset_evaluation import evaluate, spread_indices
    from hydranet_ros.evaluation.measures import EvaluationProtocol
    from hydranet_ros.evaluation.report import json_report, text_report

    if arguments.sheet is not None:
        # Report an unknown format now, not after the measurement.
        _encode(np.zeros((1, 1, 3), np.uint8), arguments.sheet)
    if arguments.limit is not None and arguments.limit < 1:
        raise HydranetError(f'--limit must be at least 1, not {arguments.limit}.')
    dataset = load_dataset(
        arguments.dataset, arguments.split, parse_variables(arguments.variables)
    )
    predictor = open_predictor(arguments, dataset.label_set)
    tasks = _tasks(arguments.tasks, predictor, dataset)
    labels = predictor.label_set if 'segmentation' in tasks else None
    protocol = EvaluationProtocol(
        labels, tuple(arguments.depth_range), arguments.crop, origins=dataset.about
    )

    def progress(indices: Sequence[int]) -> Iterable[int]:
        return tqdm(indices, desc=dataset.name, unit='image', disable=None)

    evaluation = evaluate(
        predictor,
        dataset,
        tasks,
        protocol,
        indices=spread_indices(len(dataset), arguments.limit),
        progress=progress,
    )
    if not evaluation.figures:
        raise HydranetError(
            f'None of the images has ground truth for {" or ".join(tasks)}; choose another '
            'dataset or split.'
        )
    title = f'{predictor.metadata.name} on {dataset.name}'
    print(text_report(title, evaluation.images, evaluation.figures, evaluation.milliseconds))
    if evaluation.assumed and 'depth' in evaluation.figures:
        print(
            f'\nThe focal length of {evaluation.assumed} images was assumed, because '
            f'{dataset.name} has no intrinsics: the scale of their depth may be wrong.'
        )
    if arguments.json is not None:
        about = _about(arguments, predictor, dataset)
        _write(arguments.json, json_report(about, evaluation).encode())
    if arguments.sheet is not None:
        from hydranet_ros.evaluation.picture_sheet import picture_sheet

        look = _look(predictor, protocol)
        sheet = picture_sheet(evaluation, predictor, dataset, look, title)
        _write(arguments.sheet, _encode(sheet, arguments.sheet))
    return 0


def _tasks(
    wanted: Sequence[str] | None, predictor: Predictor, dataset: Dataset
) -> tuple[str, ...]:
    """Return the tasks to measure: the wanted ones after a check, or all possible ones."""
    from hydranet_ros.evaluation.dataset_evaluation import annotated_tasks, measurable_tasks

    possible = measurable_tasks(predictor, dataset)
    annotated, predicted = annotated_tasks(dataset), predictor.metadata.tasks
    for task in wanted or ():
        if task in predicted and task in annotated and task not in possible:
            raise HydranetError(
                f'{dataset.name} is labelled in {dataset.label_set}, which '
                f'{predictor.metadata.name} does not predict; choose another dataset or '
                '--label-set.'
            )
        if task not in possible:
            raise HydranetError(
                f'{task} cannot be measured: {predictor.metadata.name} predicts '
                f'{", ".join(predicted)}, but {dataset.name} has {", ".join(sorted(annotated))}.'
            )
    if not possible:
        raise HydranetError(
            f'{predictor.metadata.name} predicts {", ".join(predicted)}, but {dataset.name} has '
            f'{", ".join(sorted(annotated)) or "no annotation"} (labels of {dataset.label_set}): '
            'there is nothing to compare.'
        )
    return tuple(wanted or possible)


def _about(
    arguments: argparse.Namespace, predictor: Predictor, dataset: Dataset
) -> dict[str, Any]:
    import hashlib

    from hydranet_ros.resources import model_path

    return {
        'model': predictor.metadata.name,
        'model_sha256': hashlib.sha256(model_path(arguments.model).read_bytes()).hexdigest(),
        'dataset': dataset.name,
        'limit': arguments.limit,
        **about_backend(predictor),
        'software': software_versions(),
    }


def _look(predictor: Predictor, protocol: EvaluationProtocol) -> Any:
    from hydranet_ros.pictures.panels import depth_colors, Look

    return Look(predictor.label_set, depth_colors(protocol.depth_range))


def _encode(picture: Any, path: Path) -> bytes:
    import cv2

    try:
        encoded, content = cv2.imencode(path.suffix, picture[..., ::-1])
    except cv2.error:
        encoded = False
    if not encoded:
        raise HydranetError(f'{path} must end in .png or .jpg.')
    return content.tobytes()


def _write(path: Path, content: bytes) -> None:
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
