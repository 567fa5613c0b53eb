# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The processes of a replay with evaluation, for ``hydranet replay`` and the launch file.

They are the perception node, the evaluator, a player and, if wanted, a recorder and rviz. Bag and
model decide which topics are played and which tasks are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.bags.message_types import COMPRESSED_IMAGE_TYPE, TF_TYPE
from hydranet_ros.bags.topics import BagTopics, check_transport, find_topics
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.measures import MEASURES
from hydranet_ros.launching.process_specs import (
    is_true,
    PACKAGE,
    ParameterValue,
    perception_process,
    ProcessSpec,
    rviz_if_installed,
)
from hydranet_ros.launching.replay_processes import Replay
from hydranet_ros.messages.images import compressed_to_rgb
from hydranet_ros.messages.topic_names import base_topic, truth_topic
from hydranet_ros.model.exported_model import read_model
from hydranet_ros.resources import default_model, model_path

STARTUP = 120.0
"""Seconds that the node may take to load its model."""
REPORT_PATIENCE = 60.0
"""Seconds that the evaluator may take to write its report."""
_CLOCK_RATE = 100.0
_EVALUATOR = 'evaluator_node'
_RECORDER = 'bag_recorder'

_NO_CALIBRATION = (
    'The focal length was assumed, because the bag has no camera_info for its images: the '
    'scale of depth may be wrong.'
)


def plan_replay(arguments: Mapping[str, str]) -> Replay:
    """
    Return the processes to start, given a value for each of `process_specs.REPLAY_ARGUMENTS`.

    Raises HydranetError if the bag or the model cannot be read, or there is nothing to compare.
    """
    if not arguments['bag']:
        raise HydranetError('The argument `bag` is missing; give bag:=PATH.')
    if arguments['record'] and Path(arguments['record']).expanduser().exists():
        raise HydranetError(
            f'Cannot record into {arguments["record"]}, which exists already: choose another name.'
        )
    model = model_path(arguments['model']) if arguments['model'] else default_model()
    if model is None:
        raise HydranetError('This installation has no model; give one.')
    with BagReader(arguments['bag']) as bag:
        topics = find_topics(bag, image=arguments['image'] or None)
        if topics.image is None:
            raise HydranetError(f'{bag.path} has no images to play.')
        check_transport(bag, topics.image)
        height, width = _image_size(bag, topics.image)
        transforms = [name for name, topic in bag.topics.items() if topic.type == TF_TYPE]
        duration = bag.duration / _number(arguments, 'rate')
    metadata = read_model(model).metadata
    piece = metadata.label_slice(arguments['label_set'] or None)
    tasks = [task for task in MEASURES if task in metadata.tasks and task in topics.truths]
    if not tasks:
        raise HydranetError(
            f'{arguments["bag"]} has ground truth for {", ".join(topics.truths) or "nothing"} and '
            f'the model predicts {", ".join(metadata.tasks)}: there is nothing to compare.'
        )
    label_set = piece.labels.name if piece is not None and 'segmentation' in tasks else ''
    compressed = base_topic(topics.image) != topics.image
    node = _node(arguments, topics, str(model))
    node = replace(
        node,
        parameters={
            **node.parameters,
            'label_set': piece.labels.name if piece else '',
            'image_transport': 'compressed' if compressed else 'raw',
            'warm_up_height': height,
            'warm_up_width': width,
            'depth_encoding': '32FC1',  # without loss
            'output_size': 'input',  # the size of the ground truth
        },
    )
    needs_calibration = 'depth' in tasks and metadata.canonical_focal is not None
    fault = _NO_CALIBRATION if needs_calibration and not topics.camera_info else ''
    evaluator = _evaluator(
        arguments, topics, tasks, label_set=label_set, model=metadata.name, fault=fault
    )
    player = _player(arguments, topics, tasks, transforms)
    others = [node]
    if arguments['record']:
        played = player.parameters['topics']
        assert isinstance(played, list)
        predicted = [f'/{task}' for task in tasks]
        parameters: dict[str, ParameterValue] = {
            'bag': arguments['record'],
            'topics': [*played, *predicted, '/diagnostics'],
            'answer_topics': [topics.image, *predicted],
        }
        others.append(ProcessSpec(PACKAGE, _RECORDER, _RECORDER, parameters=parameters))
    if is_true(arguments, 'rviz'):
        others += rviz_if_installed(image=base_topic(topics.image), use_sim_time=True)
    return Replay(player, evaluator, tuple(others), duration)


def _node(arguments: Mapping[str, str], topics: BagTopics, model: str) -> ProcessSpec:
    assert topics.image is not None
    return perception_process(
        params_file=arguments['params_file'],
        model=model,
        working_width=arguments['working_width'],
        image=base_topic(topics.image),
        camera_info=topics.camera_info or '',
        use_sim_time=True,
        log_level=arguments['log_level'],
    )


def _evaluator(
    arguments: Mapping[str, str],
    topics: BagTopics,
    tasks: list[str],
    *,
    label_set: str,
    model: str,
    fault: str,
) -> ProcessSpec:
    assert topics.image is not None
    truths = [(truth_topic(task)[1:], base_topic(topics.truths[task])) for task in tasks]
    return ProcessSpec(
        PACKAGE,
        _EVALUATOR,
        _EVALUATOR,
        parameters={
            'output': arguments['output'],
            'tasks': tasks,
            'label_set': label_set,
            'depth_maximum': _number(arguments, 'depth_maximum'),
            'crop': arguments['crop'],
            'source': arguments['bag'],
            'model': model,
            'fault': fault,
        },
        remappings=(('image', base_topic(topics.image)), *truths),
        log_level=arguments['log_level'],
        shutdown_timeout=REPORT_PATIENCE,
    )


def _player(
    arguments: Mapping[str, str],
    topics: BagTopics,
    tasks: list[str],
    transforms: list[str],
) -> ProcessSpec:
    assert topics.image is not None
    truths = [topics.truths[task] for task in tasks]
    info = [topics.camera_info] if topics.camera_info else []
    # Node and evaluator subscribe to images, node to calibration, evaluator to ground truth.
    subscribed = [topics.image, topics.image, *info, *truths]
    # Evaluator and recorder each advertise their topic once subscribed to all that they need.
    answers = [f'/{_EVALUATOR}/evaluated']
    if arguments['record']:
        subscribed += [topics.image, *info, *truths, *transforms]
        answers.append(f'/{_RECORDER}/recorded')
    parameters: dict[str, ParameterValue] = {
        'bag': arguments['bag'],
        'topics': [topics.image, *info, *truths, *transforms],
        'rate': _number(arguments, 'rate'),
        'start_offset': _number(arguments, 'start_offset'),
        'loop': is_true(arguments, 'loop'),
        'clock': _CLOCK_RATE,
        # Play nothing before all nodes have subscribed, so that they miss no frame.
        'wait_for': subscribed,
        'wait_timeout': STARTUP,
    }
    if is_true(arguments, 'lock_step'):
        parameters['lock_step_image'] = topics.image
        parameters['lock_step_replies'] = answers
    else:
        parameters['wait_for_publishers'] = answers
    return ProcessSpec(
        PACKAGE,
        'bag_player',
        'bag_player',
        parameters=parameters,
        log_level=arguments['log_level'],
    )


def _number(arguments: Mapping[str, str], name: str) -> float:
    try:
        value = float(arguments[name])
    except ValueError as error:
        raise HydranetError(f'`{name}` must be a number, not {arguments[name]!r}.') from error
    if name in ('rate', 'depth_maximum') and not value > 0:
        raise HydranetError(f'`{name}` must be above 0, not {arguments[name]}.')
    return value


def _image_size(bag: BagReader, topic: str) -> tuple[int, int]:
    """Return height and width of the first image."""
    recorded = next(bag.messages((topic,)))
    message = bag.decode(recorded)
    if recorded.type == COMPRESSED_IMAGE_TYPE:
        height, width = compressed_to_rgb(message).shape[:2]
        return height, width
    return message.height, message.width
