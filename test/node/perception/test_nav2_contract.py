# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The requirements of Nav2's semantic segmentation layer, and the configuration for it.

The layer synchronises segmentation, confidence and cloud by exactly equal stamps, and uses one
index for their pixels and points.
"""

import time

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import numpy as np
from published import published_bundle
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rosbags.typesys import get_types_from_msg
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
import yaml

from hydranet_ros.bags.message_types import new_typestore
from hydranet_ros.camera.calibration import CameraInfoBuffer
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.node.perception import label_info, perception_node
from hydranet_ros.node.perception.frame_processor import FrameProcessor, Publication
from hydranet_ros.node.perception.label_info import LabelInfoOutput, message_types
from hydranet_ros.node.perception.output_messages import array_to_image
from hydranet_ros.node.perception.outputs import OUTPUTS
from hydranet_ros.node.perception.parameters import PARAMETERS, Settings, user_parameters
from hydranet_ros.node.perception.polling_subscription import Arrival
from hydranet_ros.node.perception.statistics import Statistics
from hydranet_ros.resources import config_path
from hydranet_ros.runtime.predictor import Predictor

CONFIG = yaml.safe_load(config_path('nav2_semantic_layer.yaml').read_text())
NODE = CONFIG['/**/perception_node']['ros__parameters']
COSTMAP = CONFIG['/**/local_costmap']['ros__parameters']
LAYER = COSTMAP['semantic_layer']
SOURCE = LAYER['camera']
LABEL_SET = load_label_set('camvid11')

# The definitions of vision_msgs 4.
DEFINITIONS = {
    'vision_msgs/msg/VisionClass': 'uint16 class_id\nstring class_name\n',
    'vision_msgs/msg/LabelInfo': 'std_msgs/Header header\nvision_msgs/VisionClass[] class_map\n'
    'float32 threshold\n',
}


class Recorder:
    """A substitute for a publisher that records the messages."""

    def __init__(self):
        self.messages = []

    def publish(self, msg):
        self.messages.append(msg)

    def get_subscription_count(self):
        return 1


def test_topics_are_those_of_the_node():
    kinds = {f'/{output.topic}': output.message_type.__name__ for output in OUTPUTS}
    assert kinds[SOURCE['segmentation_topic']] == 'Image'
    assert kinds[SOURCE['confidence_topic']] == 'Image'
    assert kinds[SOURCE['pointcloud_topic']] == 'PointCloud2'
    assert SOURCE['labels_topic'] == f'/{label_info.TOPIC}'
    assert LAYER['observation_sources'] == 'camera'
    assert set(COSTMAP['plugins']) <= COSTMAP.keys()


def test_every_class_has_one_cost():
    listed = [name for kind in SOURCE['class_types'] for name in SOURCE[kind]['classes']]
    assert sorted(listed) == sorted(LABEL_SET.classes)
    for kind in SOURCE['class_types']:
        assert 0 <= SOURCE[kind]['base_cost'] <= SOURCE[kind]['max_cost'] <= 254


def test_parameters_of_the_node_are_valid():
    defaults = {p.name: p.default for p in user_parameters()}
    assert NODE.keys() <= PARAMETERS.keys()
    settings = Settings.from_values(defaults | NODE)
    assert settings.points_stride == 1 and settings.confidence


def test_one_index_serves_labels_confidence_and_points():
    settings = Settings.from_values({p.name: p.default for p in user_parameters()} | NODE)
    fields = ('labels', 'confidence', 'depth')
    predictor = Predictor(published_bundle('kitti6'), device='cpu', fields=fields)
    infos, publishers = CameraInfoBuffer(), {o.topic: Recorder() for o in OUTPUTS}
    processor = FrameProcessor(
        predictor=predictor,
        message_type=Image,
        publications=[Publication(o, publishers[o.topic]) for o in OUTPUTS if o.field in fields],
        camera_infos=infos,
        settings=lambda: settings,
        now=lambda: 0,
        statistics=Statistics(),
        warn=pytest.fail,
    )
    header = Header(stamp=Time(sec=12, nanosec=345_678_901), frame_id='camera_optical_frame')
    k = [60.0, 0.0, 33.0, 0.0, 60.0, 20.0, 0.0, 0.0, 1.0]
    infos.put(CameraInfo(header=header, width=67, height=41, k=k))
    rgb = np.random.default_rng(0).integers(0, 256, (41, 67, 3), dtype=np.uint8)
    image = array_to_image(rgb, 'rgb8', header)
    processor.publish(processor.perceive(Arrival(serialize_message(image), 0.0)))

    def published(topic):
        (message,) = publishers[SOURCE[topic].lstrip('/')].messages
        assert message.header == header
        return message

    labels, confidence, cloud = map(
        published, ('segmentation_topic', 'confidence_topic', 'pointcloud_topic')
    )
    for message in (labels, confidence):
        assert (message.encoding, message.height, message.width) == ('mono8', 41, 67)
        assert message.step == message.width  # the layer ignores the step
    assert cloud.height * cloud.width == 41 * 67
    # The layer's iterators read x, y and z by offset and point_step only.
    offsets = {field.name: field.offset for field in cloud.fields}
    index = 17 * 67 + 29
    x, y, z = (
        np.frombuffer(cloud.data, '<f4', 1, index * cloud.point_step + offsets[axis])[0]
        for axis in 'xyz'
    )
    assert (x, y) == pytest.approx(((29 - 33) * z / 60, (17 - 20) * z / 60), rel=1e-5)
    assert labels.data[index] < 6


def described_types():
    """Return the classes of vision_msgs: the installed ones, else made from its definitions."""
    if message_types() is not None:
        return message_types()
    store = new_typestore()
    for name, definition in DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))
    return tuple(store.types[name] for name in reversed(DEFINITIONS))


class FakeNode:
    """A substitute for the node that publishes the class names."""

    def __init__(self):
        self.created, self.destroyed = [], []

    def create_lifecycle_publisher(self, message_type, topic, qos):
        publisher = Recorder()
        self.created.append((message_type, topic, qos, publisher))
        return publisher

    def destroy_lifecycle_publisher(self, publisher):
        self.destroyed.append(publisher)

    def get_clock(self):
        return self

    now = get_clock

    def to_msg(self):
        return Time(sec=5)


def test_names_of_the_classes_are_latched():
    node, types = FakeNode(), described_types()
    output = LabelInfoOutput(node, LABEL_SET, types)
    ((message_type, topic, qos, publisher),) = node.created
    assert (message_type, topic) == (types[0], 'label_info')
    assert qos.reliability == ReliabilityPolicy.RELIABLE
    assert qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
    output.publish()
    (message,) = publisher.messages
    named = {entry.class_id: entry.class_name for entry in message.class_map}
    assert named == dict(enumerate(LABEL_SET.classes))
    assert message.threshold == 0.0 and message.header.stamp.sec == 5
    output.destroy()
    assert node.destroyed == [publisher]


def test_without_vision_msgs_there_are_no_latched_names():
    node = FakeNode()
    output = LabelInfoOutput(node, LABEL_SET, None)
    output.publish()
    output.destroy()
    assert not node.created and not node.destroyed


class BorrowedMessage(DiagnosticArray):
    """A message with the fields of LabelInfo that is sent as a type of every ROS."""

    def __init__(self, header=None, class_map=(), threshold=0.0):
        super().__init__(header=header, status=list(class_map))


# Attributes that rclpy's conversion to C needs.
BorrowedMessage.__name__ = DiagnosticArray.__name__
BorrowedMessage.__module__ = DiagnosticArray.__module__


def borrowed_class(class_id, class_name):
    """Return an entry of the substitute message."""
    return DiagnosticStatus(hardware_id=str(class_id), name=class_name)


@pytest.fixture
def node(tmp_path, monkeypatch):
    """Return an active node that publishes the substitute message."""
    monkeypatch.setattr(
        perception_node, 'message_types', lambda: (BorrowedMessage, borrowed_class)
    )
    model = tmp_path / 'model.safetensors'
    save_bundle(model, published_bundle('nyud40_kitti6'))
    values = {'model': str(model), 'label_set': 'kitti6', 'autostart': False, 'backend': 'torch'}
    values |= {'warm_up_height': 32, 'warm_up_width': 32}
    context = rclpy.Context()
    context.init()
    made = perception_node.PerceptionNode(
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    made.trigger_configure()
    made.trigger_activate()
    yield made
    made.trigger_shutdown()
    made.destroy_node()
    context.shutdown()


def test_late_subscribers_get_the_names(node):
    executor = SingleThreadedExecutor(context=node.context)
    client = rclpy.create_node('costmap', context=node.context)
    executor.add_node(client)
    try:
        for label_set in (
            'kitti6',
            'kitti6',
            'nyud40',
        ):  # the topic can reappear
            node.set_parameters([Parameter('label_set', value=label_set)])
            received = []
            qos = label_info.latched_qos()
            subscription = client.create_subscription(
                DiagnosticArray, 'label_info', received.append, qos
            )
            deadline = time.monotonic() + 20
            while not received:
                assert time.monotonic() < deadline
                executor.spin_once(timeout_sec=0.05)
            client.destroy_subscription(subscription)
            names = {int(entry.hardware_id): entry.name for entry in received[0].status}
            assert names == dict(enumerate(load_label_set(label_set).classes))
    finally:
        executor.shutdown()
        client.destroy_node()
