# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay starts, its clock, and live evaluation through loops; without ROS."""

from __future__ import annotations

from collections import Counter
import importlib.util
from pathlib import Path
import sys
from typing import Any

from checkout import CHECKOUT
from evaluated_bags import copy_bag, make_bag, PREDICTIONS, stamp, TRUTHS
from hypothesis import given, settings
from hypothesis import strategies as st
from published import published_bundle
import pytest
from sourced import source_rviz

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.bags.conversion import BagLayout
from hydranet_ros.bags.playback import Stopwatch
from hydranet_ros.bags.topics import find_topics
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.bag_evaluation import evaluate_bag
from hydranet_ros.evaluation.live_evaluation import LiveEvaluation
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.evaluation.replay_plan import plan_replay
from hydranet_ros.launching.process_specs import REPLAY_ARGUMENTS
from hydranet_ros.launching.replay_processes import planned_replay
from hydranet_ros.messages.stamps import read_stamp
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.resources import config_path

COUNT = 4
PROTOCOL = EvaluationProtocol(load_label_set('kitti6'))
TASKS = ('segmentation', 'depth')
PARTS = {
    '/image': 'image',
    **{topic: task for task, topic in PREDICTIONS.items()},
    **{topic: f'true {task}' for task, topic in TRUTHS.items()},
}


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('model') / 'untrained.safetensors'
    save_bundle(path, published_bundle('nyud40_kitti6'))
    return path


@pytest.fixture(scope='module')
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('bags')
    return copy_bag(make_bag(folder / 'street', COUNT), folder / 'recorded', predictions=True)


def arguments(**given: str) -> dict[str, str]:
    return {**{name: default for name, (default, _) in REPLAY_ARGUMENTS.items()}, **given}


def test_processes(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_rviz(monkeypatch, tmp_path)
    bag = make_bag(tmp_path / 'bag', 3, BagLayout('/front/image_raw', image_format='png'))
    plan = plan_replay(
        arguments(
            bag=str(bag), model=str(model), label_set='kitti6', record='out', rviz='true', rate='2'
        )
    )
    names = [spec.executable for spec in plan.processes]
    assert names == ['perception_node', 'bag_recorder', 'rviz2', 'evaluator_node', 'bag_player']
    node, recorder = plan.others[:2]
    assert dict(node.remappings)['camera_info'] == '/front/camera_info'
    assert node.parameters['image_transport'] == 'compressed'
    assert node.parameters['use_sim_time'] is True
    assert (node.parameters['warm_up_height'], node.parameters['warm_up_width']) == (64, 96)
    assert node.parameters['label_set'] == plan.evaluator.parameters['label_set'] == 'kitti6'
    assert plan.evaluator.parameters['tasks'] == list(TASKS)
    assert dict(plan.evaluator.remappings)['image'] == '/front/image_raw'
    topics = plan.player.parameters['topics']
    assert topics == ['/front/image_raw/compressed', '/front/camera_info', *TRUTHS.values()]
    assert plan.player.parameters['lock_step_image'] == topics[0]
    assert set(recorder.parameters['topics']) >= {*topics, *PREDICTIONS.values()}
    # Nothing is played that node, evaluator or recorder would miss, nor the next image before
    # the results of the last are recorded.
    assert recorder.parameters['answer_topics'] == [topics[0], *PREDICTIONS.values()]
    answers = ['/evaluator_node/evaluated', '/bag_recorder/recorded']
    assert plan.player.parameters['lock_step_replies'] == answers
    assert Counter(plan.player.parameters['wait_for']) == {
        topics[0]: 3,
        **dict.fromkeys(topics[1:], 2),
    }
    assert plan.duration == pytest.approx(0.1)


def test_the_launch_file_reads_the_same_plan(model: Path, recorded: Path, tmp_path: Path) -> None:
    hydranet = tmp_path / 'hydranet'
    hydranet.write_text(f'#!/bin/sh\nexec {sys.executable} -m hydranet_ros.cli.main "$@"\n')
    hydranet.chmod(0o755)
    given = arguments(bag=str(recorded), model=str(model), lock_step='0', record='a b', rate='2')
    given['params_file'] = str(config_path('hydranet.yaml'))
    assert planned_replay(str(hydranet), given) == plan_replay(given)
    with pytest.raises(HydranetError, match='hydranet replay: There is no bag -nowhere'):
        planned_replay(str(hydranet), {**given, 'bag': '-nowhere'})


def test_without_lock_step(model: Path, recorded: Path) -> None:
    plan = plan_replay(arguments(bag=str(recorded), model=str(model), lock_step='false'))
    assert 'lock_step_image' not in plan.player.parameters
    assert plan.player.parameters['wait_for_publishers'] == ['/evaluator_node/evaluated']
    assert plan.player.parameters['wait_for'].count('/image') == 2
    # Old predictions in the bag are not played beside the new ones.
    assert not {*PREDICTIONS.values()} & {*plan.player.parameters['topics']}


@pytest.mark.parametrize(
    ('given', 'sentence'),
    [
        ({'bag': ''}, '`bag` is missing'),
        ({'rate': 'fast'}, "`rate` must be a number, not 'fast'"),
        ({'rate': '0'}, '`rate` must be above 0'),
        ({'loop': 'maybe'}, 'loop must be true or false'),
        ({'image': '/side'}, 'has no images on /side'),
        ({'record': '.'}, 'record into ., which exists already'),
        ({'params_file': 'nowhere.yaml'}, 'no parameter file'),
    ],
)
def test_faults_are_named(
    model: Path, recorded: Path, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(HydranetError, match=sentence):
        plan_replay(arguments(**{'bag': str(recorded), 'model': str(model), **given}))


def test_launch_actions(model: Path, recorded: Path) -> None:
    """Under the real launch, where that is installed."""
    launch = pytest.importorskip('launch', reason='launch comes with a distribution')
    pytest.importorskip('launch_ros', reason='launch comes with a distribution')
    path = CHECKOUT / 'launch' / 'replay.launch.py'
    packages = pytest.importorskip('ament_index_python.packages')
    if 'hydranet_ros' not in packages.get_packages_with_prefixes():
        pytest.skip('needs the package installed: colcon build, source install/setup.bash')
    spec = importlib.util.spec_from_file_location('replay_launch', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    declared = module.generate_launch_description().entities
    assert [entity.name for entity in declared[:-1]] == list(REPLAY_ARGUMENTS)
    context = launch.LaunchContext()
    given = arguments(bag=str(recorded), model=str(model))
    context.launch_configurations.update(given)
    *handlers, node, evaluator, player = module.start_processes(context)
    executables = [action.node_executable for action in (node, evaluator, player)]
    assert executables == ['perception_node', 'evaluator_node', 'bag_player']
    assert len(handlers) == 3
    assert all(isinstance(h, launch.actions.RegisterEventHandler) for h in handlers)


@pytest.mark.parametrize('laps', [1, 3])
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_live_evaluation_equals_that_of_the_bag(
    recorded: Path, laps: int, data: st.DataObject
) -> None:
    """However the topics of a frame are interleaved; each loop is a pass of its own."""
    expected = evaluate_bag(recorded, find_topics, PROTOCOL).frames.summary()
    with BagReader(recorded) as bag:
        live = LiveEvaluation(TASKS, PROTOCOL, bag.decode)
        frames: dict[int, list[Any]] = {}
        for message in bag.messages(PARTS):
            frames.setdefault(read_stamp(message.data), []).append(message)
        for _ in range(laps):
            for key, messages in frames.items():
                order = data.draw(st.permutations(messages))
                complete = [live.receive(PARTS[m.topic], key, m) for m in order]
                assert sum(complete) == 1
        live.finish()
    assert [each.summary() for each in live.passes] == [expected] * laps


def test_an_answer_needs_all_predictions() -> None:
    live = LiveEvaluation(TASKS, PROTOCOL, lambda _: None)
    assert not live.receive('image', stamp(0), None)
    assert not live.receive('true depth', stamp(0), None)
    assert not live.receive('depth', stamp(1), None)
    assert not live.receive('depth', stamp(0), None)
    assert live.receive('segmentation', stamp(0), None)


class TestStopwatch:
    """Pauses and waits do not count."""

    def test_pauses(self) -> None:
        now = 10.0
        watch = Stopwatch(lambda: now)
        now = 12.0
        watch.pause(True)
        now = 20.0
        watch.pause(True)
        assert (watch.elapsed(), watch.paused) == (2.0, True)
        watch.pause(False)
        watch.pause(False)
        now = 21.0
        assert (watch.elapsed(), watch.paused) == (3.0, False)

    def test_waits(self) -> None:
        now = 0.0
        watch = Stopwatch(lambda: now)
        now = 5.0
        watch.hold_back(2.0)
        assert watch.elapsed() == 2.0
        watch.hold_back(4.0)
        assert watch.elapsed() == 2.0
        watch.pause(True)
        watch.restart()
        now = 9.0
        assert watch.elapsed() == 0.0
