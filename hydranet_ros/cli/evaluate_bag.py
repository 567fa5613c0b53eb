# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet evaluate-bag``: measure bags with ground truth, without ROS."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TYPE_CHECKING

from hydranet_ros.cli.common import (
    about_backend,
    add_runtime_arguments,
    add_topic_arguments,
    add_working_width,
    named_topics,
    open_predictor,
    positive,
    software_versions,
)
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.tasks import TASKS

if TYPE_CHECKING:
    from tqdm import tqdm

    from hydranet_ros.bags.bag_files import BagReader
    from hydranet_ros.bags.topics import BagTopics
    from hydranet_ros.evaluation.measures import EvaluationProtocol
    from hydranet_ros.runtime.predictor import Predictor

HELP = 'measure a model, or recorded predictions, on rosbags with ground truth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='one or several bags')
    parser.add_argument(
        '--model',
        help='model file, or the name of a shipped model, to run on the images (default: measure '
        'the predictions in the bag)',
    )
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        default=Path('evaluation'),
        help='folder of the report; several bags have one subfolder each (default: evaluation)',
    )
    add_protocol_arguments(parser)
    topics = add_topic_arguments(parser, TASKS, tolerance=0.0)
    for task in TASKS:
        topics.add_argument(f'--{task}', help=f'predicted {task} (default: /{task})')
    parser.add_argument(
        '--rectified', action='store_true', help='the images are rectified: use P, not K'
    )
    parser.add_argument(
        '--jobs',
        type=positive,
        default=1,
        help='number of bags to evaluate in parallel (default: 1)',
    )
    add_runtime_arguments(parser)
    add_working_width(parser)


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the evaluation protocol."""
    parser.add_argument(
        '--label-set',
        help="label set of the ground truth (default: the model's first); without --model it is "
        'required for segmentation',
    )
    parser.add_argument(
        '--depth-range',
        type=float,
        nargs=2,
        default=(1e-3, 80.0),
        metavar=('MINIMUM', 'MAXIMUM'),
        help='range of true depth that counts, in metres (default: 0.001 80)',
    )
    parser.add_argument(
        '--crop', choices=('garg', 'eigen', 'nyud'), help='measure depth in this part of the image'
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the bags, one after the other or in parallel."""
    several = len(arguments.bags) > 1
    folders = _folders(arguments.output, arguments.bags) if several else [arguments.output]
    work = partial(_evaluate, arguments, several and arguments.jobs > 1)
    pairs = list(zip(arguments.bags, folders, strict=True))
    if several and arguments.jobs > 1:
        # Not fork: the threads of inference runtimes do not survive a fork.
        context = get_context('spawn')
        with ProcessPoolExecutor(min(arguments.jobs, len(pairs)), context) as pool:
            outcomes = list(pool.map(work, pairs))
    else:
        outcomes = [work(pair) for pair in pairs]
    faults = []
    for bag, (text, fault) in zip(arguments.bags, outcomes, strict=True):
        if fault:
            faults.append(f'{bag} could not be evaluated: {fault}')
        else:
            print(f'{text}\n')
    if faults:
        raise HydranetError('\n'.join(faults))
    return 0


def _folders(output: Path, bags: list[Path]) -> list[Path]:
    """Return a folder for each bag, named after the bag."""
    folders: list[Path] = []
    for bag in bags:
        name = bag.resolve().stem
        count = sum(folder.name.partition('~')[0] == name for folder in folders)
        folders.append(output / (f'{name}~{count + 1}' if count else name))
    return folders


def _evaluate(
    arguments: argparse.Namespace, quiet: bool, pair: tuple[Path, Path]
) -> tuple[str, str]:
    """Evaluate one bag; return the text to print and the error, one of them empty."""
    from tqdm import tqdm

    from hydranet_ros.evaluation.bag_evaluation import evaluate_bag
    from hydranet_ros.evaluation.bag_report import (
        account_lines,
        figures_text,
        report_content,
        report_place,
        write_report,
    )

    bag, folder = pair
    try:
        predictor = open_predictor(arguments) if arguments.model else None
        # The bars of parallel processes would overwrite each other.
        with tqdm(desc=bag.name, unit='message', leave=False, disable=quiet or None) as bar:
            evaluation = evaluate_bag(
                bag,
                partial(_choose_topics, arguments, bar),
                protocol_of(arguments, predictor),
                predictor=predictor,
                predicted_tasks=predictor.metadata.tasks if predictor else (),
                rectified=arguments.rectified,
                tolerance=arguments.tolerance,
                progress=bar.update,
            )
    except HydranetError as error:
        return '', str(error)
    about = {'bag': str(bag), 'mode': 'recorded', **software_versions()}
    if predictor is not None:
        about = {**about, 'mode': 'model', **_about_model(arguments, predictor)}
    passes = [evaluation.frames]
    write_report(folder, about, passes, evaluation.faults)
    content = report_content(about, passes, evaluation.faults)
    account = '\n'.join(account_lines(content))
    return f'{figures_text(content)}\n\n{account}\n\nReport: {report_place(folder)}', ''


def _choose_topics(arguments: argparse.Namespace, bar: tqdm[Any], bag: BagReader) -> BagTopics:
    """Return the topics to compare, and set the length of the progress bar."""
    from hydranet_ros.bags.topics import find_topics

    topics = find_topics(
        bag,
        image=arguments.image,
        camera_info=arguments.camera_info,
        predictions=named_topics(arguments, ''),
        truths=named_topics(arguments, 'true_'),
    )
    named = (topics.image, topics.camera_info, *topics.truths.values())
    recorded = () if arguments.model else tuple(topics.predictions.values())
    bar.reset(sum(bag.topics[topic].count for topic in (*named, *recorded) if topic))
    return topics


def protocol_of(arguments: argparse.Namespace, predictor: Predictor | None) -> EvaluationProtocol:
    """Return the evaluation protocol from the arguments and the model's label set."""
    from hydranet_ros.evaluation.measures import EvaluationProtocol
    from hydranet_ros.model.labels import load_label_set

    labels = predictor.label_set if predictor else None
    if labels is None and arguments.label_set:
        labels = load_label_set(arguments.label_set)
    return EvaluationProtocol(labels, tuple(arguments.depth_range), arguments.crop)


def _about_model(arguments: argparse.Namespace, predictor: Predictor) -> Mapping[str, Any]:
    return {
        'model': predictor.metadata.name,
        'model_file': str(arguments.model),
        **about_backend(predictor),
    }
