# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The node and its input in this process: errors, transitions, attribute names."""

import ast
from pathlib import Path
import threading
import time
from types import SimpleNamespace

from published import published_bundle
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.node import distributions
from hydranet_ros.node.distributions import UnsupportedEventTypeError
from hydranet_ros.node.perception import perception_node
from hydranet_ros.node.perception.frame_threads import FrameThreads
from hydranet_ros.node.perception.image_input import ImageInput, SOURCES
from hydranet_ros.node.perception.perception_node import PerceptionNode
from hydranet_ros.node.perception.polling_subscription import Arrival
from hydranet_ros.node.perception.statistics import Statistics

PATIENCE = 20.0


@pytest.fixture
def context():
    made = rclpy.Context()
    made.init()
    yield made
    made.try_shutdown()


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'model.safetensors'
    return str(save_bundle(path, published_bundle()).path)


@pytest.fixture
def node(context, model):
    values = {'model': model, 'autostart': False, 'warm_up_height': 32, 'warm_up_width': 32}
    made = PerceptionNode(
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    yield made
    if not made.finalized:
        made.trigger_shutdown()
    made.destroy_node()


def test_no_attribute_shadows_one_of_rclpy(context):
    tree = ast.parse(Path(perception_node.__file__).read_text())
    (node_class,) = (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef))
    ours = {
        target.attr
        for statement in ast.walk(node_class)
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in getattr(statement, 'targets', [getattr(statement, 'target', None)])
        if isinstance(target, ast.Attribute)
    }
    methods = {f.name for f in node_class.body if isinstance(f, ast.FunctionDef)}
    base = LifecycleNode('base', context=context)
    theirs = set(dir(base))
    base.destroy_node()
    assert '_predictor' in ours and '_configure' in methods
    overridden = {m for m in methods if m.startswith('on_')} | {'__init__'}
    assert not (ours | methods - overridden) & theirs


def test_an_unexpected_fault_leads_back_to_the_beginning(node, monkeypatch):
    def exhausted(_settings):
        raise RuntimeError('CUDA out of memory')

    with monkeypatch.context() as patch:
        patch.setattr(perception_node, '_load_model', exhausted)
        assert node.trigger_configure() == TransitionCallbackReturn.ERROR
    assert node._fault == 'RuntimeError: CUDA out of memory'
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node._fault == ''
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_shutdown() == TransitionCallbackReturn.SUCCESS
    assert node.finalized


def test_a_fault_in_taking_down_ends_in_finalized(node, monkeypatch):
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS

    def stuck():
        raise RuntimeError('stuck')

    with monkeypatch.context() as patch:
        patch.setattr(node, '_clean_up', stuck)
        node.trigger_cleanup()
    assert node.finalized


def test_every_step_down_frees_what_the_step_up_made(node):
    def resources():
        names = {thread.name for thread in threading.enumerate()}
        publishers, subscriptions = list(node.publishers), list(node.subscriptions)
        return len(publishers), len(subscriptions), {'perception', 'publication'} <= names

    at_rest = resources()
    for _ in range(3):
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        configured = resources()
        assert configured[0] > at_rest[0] and not configured[2]
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        assert resources()[1] == at_rest[1] + 2 and resources()[2]
        assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
        assert resources() == configured
        assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
        assert resources() == at_rest
        assert node._predictor is None


@pytest.fixture
def joint_node(context, tmp_path):
    """Return a configured node whose model has the label sets nyud40 and kitti6."""
    model = save_bundle(tmp_path / 'joint.safetensors', published_bundle('nyud40_kitti6')).path
    values = {'model': str(model), 'autostart': False, 'warm_up_height': 32, 'warm_up_width': 32}
    made = PerceptionNode(
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    assert made.trigger_configure() == TransitionCallbackReturn.SUCCESS
    yield made
    made.trigger_shutdown()
    made.destroy_node()


def label_sets_of(node):
    """Return what parameter, predictor, class names and diagnostics say."""
    names = tuple(node.get_parameter('class_names').value)
    return (
        node.get_parameter('label_set').value,
        node._predictor.label_set.name,
        {load_label_set(name).classes: name for name in ('nyud40', 'kitti6')}[names],
        node._model_facts()['label set'],
    )


@pytest.mark.parametrize('active', [False, True])
def test_the_label_set_switches_while_configured(joint_node, active):
    if active:
        assert joint_node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    for name in ('kitti6', 'nyud40'):
        (result,) = joint_node.set_parameters([Parameter('label_set', value=name)])
        assert result.successful
        assert label_sets_of(joint_node) == (name,) * 4
        if active:
            assert joint_node._processor.predictor is joint_node._predictor
    kept = joint_node._predictor
    (result,) = joint_node.set_parameters([Parameter('label_set', value='')])  # nyud40, the first
    assert result.successful and joint_node._predictor is kept
    (result,) = joint_node.set_parameters([Parameter('label_set', value='camvid11')])
    assert not result.successful and result.reason.endswith(
        "has no label set 'camvid11'; it has: nyud40, kitti6."
    )
    assert label_sets_of(joint_node) == ('', 'nyud40', 'nyud40', 'nyud40')


def test_a_label_set_that_cannot_be_prepared_leaves_the_old_one(joint_node, monkeypatch):
    def exhausted(*_arguments):
        raise RuntimeError('CUDA out of memory')

    monkeypatch.setattr(type(joint_node._predictor), 'for_label_set', exhausted)
    (result,) = joint_node.set_parameters([Parameter('label_set', value='kitti6')])
    assert not result.successful
    assert 'kitti6 cannot be prepared (RuntimeError: CUDA out of memory)' in result.reason
    assert label_sets_of(joint_node) == ('', 'nyud40', 'nyud40', 'nyud40')


def test_no_model_at_all_is_one_sentence(monkeypatch):
    monkeypatch.setattr(perception_node, 'default_model', lambda: None)
    settings = perception_node.Settings(
        **dict.fromkeys(perception_node.Settings.__dataclass_fields__, '')
    )
    with pytest.raises(HydranetError, match='This installation has no model: set the'):
        perception_node._load_model(settings)


def test_a_refused_transition_that_rclpy_raises_does_not_end_the_process(context):
    class Humble(SingleThreadedExecutor):
        def spin_once(self, timeout_sec=None):
            raise rclpy_implementation.RCLError('Failed to trigger lifecycle state machine')

    node = rclpy.create_node('humble', context=context)
    distributions.spin_once(Humble(context=context), node, 0.0)
    node.destroy_node()


class Input:
    """An `ImageInput` on a node with a camera."""

    def __init__(self, context):
        self.node = rclpy.create_node('input_test', context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.statistics = Statistics()
        self.input = ImageInput(self.node, SOURCES['raw'], self.statistics)
        self.camera = self.node.create_publisher(Image, 'image', 1)
        self.threads = None
        self.errors = []

    def start(self, handle):
        """Handle images in the threads of a node."""
        self.threads = FrameThreads(self.input, handle, lambda item: None, self.errors.append)
        self.threads.start()

    def until(self, condition):
        """Publish images until a condition is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            self.camera.publish(Image())
            self.executor.spin_once(timeout_sec=0.02)

    def close(self):
        """Stop the threads and remove the node."""
        if self.threads is not None:
            self.threads.stop()
        self.executor.shutdown()
        self.node.destroy_node()


@pytest.fixture
def images(context):
    made = Input(context)
    yield made
    made.close()


def test_a_fault_in_a_thread_is_reported_and_the_next_image_comes(images):
    fault = ZeroDivisionError('a bug')

    def handle(_arrival):
        raise fault

    images.start(handle)
    images.until(lambda: len(images.errors) >= 3)
    assert set(images.errors) == {fault}
    snapshot = images.statistics.snapshot()
    assert snapshot.received >= 3 + snapshot.dropped


def test_a_frame_that_fails_is_counted_with_its_reason(node):
    for error, reason in (
        (HydranetError('Refused.'), 'Refused.'),
        (ZeroDivisionError('a bug'), 'ZeroDivisionError: a bug'),
    ):
        node._on_frame_error(error)
        assert node._statistics.snapshot().last_error == reason
    assert node._statistics.snapshot().failed == 2


def test_the_calibration_that_comes_behind_its_image_is_found(images):
    infos = images.node.create_publisher(CameraInfo, 'camera_info', 1)
    found = []

    def handle(arrival):
        stamp = deserialize_message(arrival.data, Image).header
        if not found:
            infos.publish(CameraInfo(header=stamp, width=7))
        found.append(images.input.camera_infos.match(stamp))

    images.start(handle)
    deadline = time.monotonic() + PATIENCE
    while not infos.get_subscription_count():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    images.until(lambda: found)
    assert found[0] is not None and found[0].width == 7
    assert images.input.camera_infos.latest_frame_id() == ''


def test_lost_images_are_not_dropped_ones(images):
    handled = []
    images.start(handled.append)
    images.until(lambda: handled)
    images.threads.stop()
    before = images.statistics.snapshot()
    arrivals = iter([Arrival(b'', 0.0, missed=5), None])
    images.input._images = SimpleNamespace(take_newest=lambda: next(arrivals))
    images.input._waiter = SimpleNamespace(wait=lambda: True)
    images.input._on_lost(SimpleNamespace(total_count_change=3))
    images.input.wait_for_image()
    after = images.statistics.snapshot()
    assert after.lost - before.lost == 3
    assert after.dropped - before.dropped == 2 and after.received - before.received == 3


def test_an_input_that_cannot_start_leaves_nothing_behind(images, monkeypatch):
    def refuse(*_arguments):
        raise RuntimeError('no subscription')

    held = len(list(images.node.subscriptions))
    monkeypatch.setattr(images.input, '_subscribe_to_images', refuse)
    with pytest.raises(RuntimeError, match='no subscription'):
        images.start(lambda _arrival: None)
    assert len(list(images.node.subscriptions)) == held


def test_a_middleware_that_cannot_tell_of_lost_images_will_do(images, monkeypatch):
    create = images.node.create_subscription
    asked = []

    def create_subscription(*arguments, event_callbacks=None, **options):
        asked.append(event_callbacks)
        if event_callbacks is not None and event_callbacks.message_lost is not None:
            raise UnsupportedEventTypeError('message lost')
        return create(*arguments, event_callbacks=event_callbacks, **options)

    monkeypatch.setattr(images.node, 'create_subscription', create_subscription)
    handled = []
    images.start(handled.append)
    images.until(lambda: handled)
    assert asked[-1].incompatible_qos is not None


def test_the_input_is_named_as_image_transport_names_it(context):
    node = rclpy.create_node(
        'input_test',
        context=context,
        namespace='robot',
        cli_args=['--ros-args', '-r', 'image:=/camera/image_raw'],
    )
    inputs = {name: ImageInput(node, source, Statistics()) for name, source in SOURCES.items()}
    assert inputs['raw'].topic == '/camera/image_raw'
    assert inputs['compressed'].topic == '/camera/image_raw/compressed'
    assert inputs['compressed'].message_type == 'sensor_msgs/msg/CompressedImage'
    node.destroy_node()
