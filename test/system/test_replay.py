# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A replay with the node: every frame is evaluated, with the same figures as without ROS."""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal

from builtin_interfaces.msg import Time
from evaluated_bags import make_bag, stamp
from published import published_bundle, published_weights
import pytest
from rclpy.publisher import Publisher
from ros_client import RosClient
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.bags.conversion import BagLayout
from hydranet_ros.cli.main import main
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.evaluation.dataset_evaluation import evaluate
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.evaluation.report import to_json
from hydranet_ros.launching.process_group import ProcessGroup
from hydranet_ros.launching.process_specs import PACKAGE, ProcessSpec
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp
from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice, save_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.runtime.predictor import Predictor

COUNT = 4
PATIENCE = 30.0


@pytest.fixture
def group(tmp_path: Path) -> Iterator[ProcessGroup]:
    logs = tmp_path / 'log'
    logs.mkdir()
    with ProcessGroup(logs, {}) as processes:
        yield processes


@pytest.fixture
def client() -> Iterator[RosClient]:
    ros_client = RosClient()
    yield ros_client
    ros_client.close()


def test_live_equals_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    model = tmp_path / 'model.safetensors'
    bundle = published_bundle('kitti6', canonical_focal=500.0, depth_range=(0.1, 90.0))
    save_bundle(model, bundle, dtype='float32')
    layout = BagLayout('/front/image_raw', image_format='png')
    bag = make_bag(tmp_path / 'bag', COUNT, layout)
    recorded = tmp_path / 'recorded'
    options = ['--model', str(model), '--output']
    # Far faster than the node, which would drop most images without lock-step.
    live = [str(tmp_path / 'live'), '--rate', '1000', '--record', str(recorded)]
    assert main(['replay', str(bag), *options, *live]) == 0, capsys.readouterr()
    assert main(['evaluate-bag', str(bag), *options, str(tmp_path / 'offline')]) == 0
    assert main(['evaluate-bag', str(recorded), '--label-set', 'kitti6', '-o', str(tmp_path)]) == 0
    folders = (tmp_path / 'live', tmp_path / 'offline', tmp_path)
    reports = [json.loads((folder / 'report.json').read_text()) for folder in folders]
    assert reports[0]['measured'] == COUNT
    assert set(reports[0]['figures']) == {'segmentation', 'depth'}
    for report in reports:
        del report['about']
        assert report == reports[0]


def test_lock_step_and_pause(group: ProcessGroup, client: RosClient, tmp_path: Path) -> None:
    bag = make_bag(tmp_path / 'bag', COUNT)
    images = client.subscribe(Image, '/image')
    answers = client.node.create_publisher(Header, '/answer', 10)
    parameters = {
        'bag': str(bag),
        'topics': ['/image'],
        'rate': 1000.0,
        'wait_for': ['/image'],
        'lock_step_image': '/image',
        'lock_step_replies': ['/answer'],
        'lock_step_timeout': 60.0,
    }
    player = group.start(ProcessSpec(PACKAGE, 'bag_player', 'bag_player', parameters=parameters))

    def stamps() -> list[int]:
        """Return the received images; an image without a reply is sent again."""
        return sorted({m.header.stamp.sec * NANOSECONDS + m.header.stamp.nanosec for m in images})

    def answer(index: int) -> None:
        seconds, nanoseconds = divmod(stamp(index), NANOSECONDS)
        answers.publish(Header(stamp=Time(sec=seconds, nanosec=nanoseconds)))

    pause = client.node.create_client(SetBool, '/bag_player/pause')

    def set_paused(paused: bool) -> None:
        client.until(pause.service_is_ready, 'the service')
        future = pause.call_async(SetBool.Request(data=paused))
        client.until(future.done, 'an answer of the service')
        assert future.result().success

    client.until(lambda: stamps() == [stamp(0)], 'the first image')
    answer(3)  # the reply to another image
    set_paused(True)
    assert stamps() == [stamp(0)]
    answer(0)
    set_paused(True)  # a round trip: a player that continued would have been detected
    assert stamps() == [stamp(0)]
    set_paused(False)
    for index in range(1, COUNT):
        client.until(lambda i=index: stamps() == [stamp(k) for k in range(i + 1)], 'the next')
        answer(index)
    assert player.popen.wait(PATIENCE) == 0, player.last_lines()
    assert 'There was no reply' not in player.log.read_text()


def test_a_late_recorder_misses_no_prediction(
    group: ProcessGroup, client: RosClient, tmp_path: Path
) -> None:
    """Playback waits until it knows all topics, and each image until its results are recorded."""
    recorded = tmp_path / 'recorded'
    image = '/front/image_raw'  # not the topic of the node that other tests share
    topics = [image, '/prediction']
    parameters = {'bag': str(recorded), 'topics': topics, 'answer_topics': topics}
    spec = ProcessSpec(PACKAGE, 'bag_recorder', 'bag_recorder', parameters=parameters)
    recorder = group.start(spec)
    parameters = {
        'bag': str(make_bag(tmp_path / 'bag', COUNT, BagLayout(image))),
        'topics': [image],
        'rate': 1000.0,
        'wait_for': [image, image],
        'lock_step_image': image,
        'lock_step_replies': ['/bag_recorder/recorded'],
    }
    player = group.start(ProcessSpec(PACKAGE, 'bag_player', 'bag_player', parameters=parameters))
    images: list[Image] = []
    predictions: list[Publisher] = []

    def predict(message: Image) -> None:
        images.append(message)
        if len(images) > 1:  # a lost image, e.g. before publisher and recorder are matched
            predictions[0].publish(message.header)

    client.node.create_subscription(Image, image, predict, 10)
    client.until(lambda: f'Recording {image}' in recorder.log.read_text(), 'the recorder')
    client.until(lambda: client.node.count_subscribers(image) == 2, 'both subscribers')
    client.until(lambda: 'publishers of /bag_recorder' in player.log.read_text(), 'the player')
    assert not images
    predictions.append(client.node.create_publisher(Header, '/prediction', 10))
    client.until(lambda: player.popen.poll() is not None, 'the end')
    assert player.popen.returncode == 0
    assert 'There was no reply' not in player.log.read_text()
    recorder.popen.terminate()
    assert recorder.popen.wait(PATIENCE) == 0, recorder.last_lines()
    with BagReader(recorded) as bag:
        stamps = {topic: {read_stamp(m.data) for m in bag.messages((topic,))} for topic in topics}
    sent = {stamp(index) for index in range(COUNT)}
    assert list(stamps.values()) == [sent, sent]


def test_unanswered_images_are_told(
    group: ProcessGroup, client: RosClient, tmp_path: Path
) -> None:
    bag = make_bag(tmp_path / 'bag', 2)
    images = client.subscribe(Image, '/image')
    client.node.create_publisher(Header, '/answer', 10)
    parameters = {
        'bag': str(bag),
        'rate': 1000.0,
        'wait_for': ['/image'],
        'lock_step_image': '/image',
        'lock_step_replies': ['/answer'],
        'lock_step_timeout': 0.3,
    }
    player = group.start(ProcessSpec(PACKAGE, 'bag_player', 'bag_player', parameters=parameters))
    client.until(lambda: player.popen.poll() is not None, 'the end')
    assert player.popen.returncode == 0
    assert '2 images had no reply' in player.log.read_text()
    client.until(lambda: len(images) == 2, 'both images')


def test_evaluator_by_itself(group: ProcessGroup, client: RosClient, tmp_path: Path) -> None:
    """It reports what it waits for, and writes its report on request and at its end."""
    output = tmp_path / 'report'
    spec = ProcessSpec(
        PACKAGE, 'evaluator_node', 'evaluator_node', parameters={'output': str(output)}
    )
    evaluator = group.start(spec)
    service = client.node.create_client(Trigger, '/evaluator_node/write_report')
    client.until(service.service_is_ready, 'the service')
    future = service.call_async(Trigger.Request())
    client.until(future.done, 'an answer of the service')
    assert future.result().success
    assert future.result().message.startswith('0 frames evaluated')
    (output / 'report.json').unlink()
    evaluator.popen.send_signal(signal.SIGINT)
    assert evaluator.popen.wait(PATIENCE) == 0, evaluator.last_lines()
    assert json.loads((output / 'report.json').read_text())['measured'] == 0


@pytest.mark.parametrize(
    ('executable', 'parameters', 'sentence'),
    [
        ('evaluator_node', {'tasks': ['segmentation']}, "'label_set' is missing"),
        ('evaluator_node', {'tasks': ['odometry']}, "no task 'odometry'"),
        ('bag_player', {'lock_step_image': '/front'}, '/front in lock-step: it is not among'),
        ('bag_player', {'lock_step_image': '/image'}, "'lock_step_replies' must name"),
        (
            'bag_recorder',
            {'topics': ['/a'], 'answer_topics': ['/b']},
            'answer topic /b is not among',
        ),
    ],
)
def test_faults_are_named(
    group: ProcessGroup, tmp_path: Path, executable: str, parameters: dict, sentence: str
) -> None:
    if executable == 'bag_player':
        parameters = {**parameters, 'bag': str(make_bag(tmp_path / 'bag', 1))}
    process = group.start(ProcessSpec(PACKAGE, executable, executable, parameters=parameters))
    assert process.popen.wait(PATIENCE) == 1
    assert sentence in process.log.read_text()
    assert 'Traceback' not in process.log.read_text()


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    ('dataset', 'tasks', 'maximum'),
    [
        ('camvid/val', ('segmentation', 'depth'), 80.0),
        ('sevenscenes_kitchen/test', ('depth',), 10.0),
    ],
)
def test_real_images(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dataset: str,
    tasks: tuple[str, ...],
    maximum: float,
) -> None:
    """Files, bag and live replay give the same figures."""
    dataset, split = dataset.split('/')
    data = Path(os.environ.get('HYDRANET_DATA', '../shared/data')).resolve()
    if not (data / dataset).is_dir():
        pytest.skip(f'needs {dataset} in the folder that HYDRANET_DATA names')
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    labels = load_label_set('camvid11')
    sizes = {'segmentation': labels.size, 'depth': 1}
    metadata = BundleMetadata(
        'untrained', sizes, (LabelSlice(labels),), canonical_focal=500.0, depth_range=(0.1, 90.0)
    )
    model, bag = tmp_path / 'model.safetensors', tmp_path / 'bag'
    save_bundle(model, Bundle(metadata, published_weights(sizes)), dtype='float32')
    source = [dataset, str(bag), f'data={data}', '--split', split]
    assert main(['make-bag', *source, '--max-frames', '3']) == 0
    folders = {name: tmp_path / name for name in ('live', 'offline')}
    options = ['--model', str(model), '--output']
    limit = ['--depth-maximum', str(maximum)]
    assert main(['replay', str(bag), *options, str(folders['live']), *limit]) == 0
    limit = ['--depth-range', '0.001', str(maximum)]
    assert main(['evaluate-bag', str(bag), *options, str(folders['offline']), *limit]) == 0
    live, offline = (
        json.loads((folder / 'report.json').read_text()) for folder in folders.values()
    )
    del live['about'], offline['about']
    assert live == offline
    files = load_dataset(dataset, split, {'data': str(data)})
    protocol = EvaluationProtocol(labels, (1e-3, maximum))
    found = evaluate(Predictor(model), files, tasks, protocol, indices=range(3))
    for task, figures in json.loads(to_json(found.figures)).items():
        del figures['truth'], live['figures'][task]['truth']
        assert live['figures'][task] == figures
