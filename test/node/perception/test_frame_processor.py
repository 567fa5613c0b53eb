# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One frame from its bytes to the outputs, with a real model and recording publishers."""

from dataclasses import replace
import threading
import time

from builtin_interfaces.msg import Time
import cv2
import numpy as np
from published import published_bundle
import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from hydranet_ros.camera.calibration import CameraInfoBuffer
from hydranet_ros.camera.working_width import NATIVE
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.node.perception.frame_processor import FrameProcessor, Publication
from hydranet_ros.node.perception.image_input import SOURCES
from hydranet_ros.node.perception.output_messages import array_to_image
from hydranet_ros.node.perception.outputs import OUTPUTS
from hydranet_ros.node.perception.parameters import Settings, user_parameters
from hydranet_ros.node.perception.polling_subscription import Arrival
from hydranet_ros.node.perception.statistics import Statistics
from hydranet_ros.pictures.render import colorize_labels
from hydranet_ros.runtime.predictor import Predictor

DEFAULTS = {p.name: p.default for p in user_parameters()}
FRAME_ID = 'camera'
STAMP = 1_000_000_000_123_456_789
RGB = np.random.default_rng(0).integers(0, 256, (40, 52, 3), dtype=np.uint8)


class RecordingPublisher:
    """A substitute for a publisher that records the messages."""

    def __init__(self, subscribers):
        self.subscribers = subscribers
        self.messages = []

    def publish(self, msg):
        self.messages.append(msg)

    def get_subscription_count(self):
        return self.subscribers


@pytest.fixture(scope='module')
def predictor():
    bundle = published_bundle('nyud40_normals', canonical_focal=500.0)
    return Predictor(bundle, device='cpu', warm_up_size=None)


class Pipeline:
    """A frame processor with model, publishers and calibrations."""

    def __init__(
        self, predictor, subscribed, transport='raw', now=STAMP + 250_000_000, settings=None
    ):
        chosen = Settings.from_values(DEFAULTS | (settings or {}))
        self.publishers = {o.topic: RecordingPublisher(o.topic in subscribed) for o in OUTPUTS}
        self.camera_infos = CameraInfoBuffer()
        self.statistics = Statistics()
        self.warnings = []
        self.processor = FrameProcessor(
            predictor=predictor,
            message_type=SOURCES[transport].message_type,
            publications=[Publication(o, self.publishers[o.topic]) for o in OUTPUTS],
            camera_infos=self.camera_infos,
            settings=lambda: chosen,
            now=lambda: now,
            statistics=self.statistics,
            warn=self.warnings.append,
        )

    def send(self, message):
        """Process a message."""
        perceived = self.processor.perceive(Arrival(serialize_message(message), time.monotonic()))
        self.processor.publish(perceived)
        return {topic: p.messages for topic, p in self.publishers.items() if p.messages}


def header(frame_id=FRAME_ID):
    return Header(stamp=Time(sec=STAMP // 10**9, nanosec=STAMP % 10**9), frame_id=frame_id)


def image():
    return array_to_image(RGB, 'rgb8', header())


def test_only_what_is_subscribed_is_published(predictor):
    pipeline = Pipeline(predictor, {'segmentation', 'depth/color'})
    published = pipeline.send(image())
    assert set(published) == {'segmentation', 'depth/color'}
    assert published['segmentation'][0].header == header()


def test_without_subscribers_nothing_is_done_not_even_decoding(predictor):
    pipeline = Pipeline(predictor, set())
    arrival = Arrival(b'not even a message', time.monotonic())
    assert pipeline.processor.perceive(arrival) is None
    snapshot = pipeline.statistics.snapshot()
    assert (snapshot.idle, snapshot.processed, snapshot.failed) == (1, 0, 0)


def test_values_are_those_of_the_predictor(predictor):
    pipeline = Pipeline(predictor, {'segmentation', 'depth', 'normals'})
    published = pipeline.send(image())
    expected = predictor.predict(RGB)
    for topic, array in (
        ('segmentation', expected.labels),
        ('depth', expected.depth),
        ('normals', expected.normals),
    ):
        data = np.frombuffer(published[topic][0].data, array.dtype)
        np.testing.assert_array_equal(data.reshape(array.shape), array)


def test_the_calibration_scales_depth_and_is_published(predictor):
    pipeline = Pipeline(predictor, {'depth', 'depth/camera_info'})
    # Calibrated at twice the size: the focal length of this image is 1000 px.
    k = [2000.0, 0.0, 52.0, 0.0, 2000.0, 40.0, 0.0, 0.0, 1.0]
    pipeline.camera_infos.put(CameraInfo(header=header(), width=104, height=80, k=k))
    published = pipeline.send(image())
    depth = np.frombuffer(published['depth'][0].data, np.float32).reshape(RGB.shape[:2])
    np.testing.assert_allclose(depth, 2 * predictor.predict(RGB, fx=500.0).depth, rtol=1e-5)
    info = published['depth/camera_info'][0]
    assert info.header == header() and (info.width, info.height) == (52, 40)
    assert info.k[0] == 1000.0
    facts = pipeline.processor.input_facts
    assert facts.calibrated and not facts.scale_assumed


@pytest.mark.parametrize('info', [None, CameraInfo(header=header('other'), k=[900.0] * 9)])
def test_without_the_cameras_calibration_the_scale_is_assumed(predictor, info):
    pipeline = Pipeline(predictor, {'depth', 'depth/camera_info'})
    if info is not None:
        pipeline.camera_infos.put(info)
    assert set(pipeline.send(image())) == {'depth'}
    facts = pipeline.processor.input_facts
    assert facts.scale_assumed and not facts.calibrated
    assert (facts.width, facts.height, facts.frame_id) == (52, 40, FRAME_ID)


def test_a_missing_calibration_is_named_once_and_other_outputs_go_on(predictor):
    pipeline = Pipeline(predictor, {'segmentation', 'points'})
    for _ in range(3):
        published = pipeline.send(image())
    assert set(published) == {'segmentation'} and len(published['segmentation']) == 3
    assert len(pipeline.warnings) == 1 and 'camera_info' in pipeline.warnings[0]
    k = [500.0, 0.0, 26.0, 0.0, 500.0, 20.0, 0.0, 0.0, 1.0]
    pipeline.camera_infos.put(CameraInfo(header=header(), width=52, height=40, k=k))
    (cloud,) = pipeline.send(image())['points']
    assert cloud.header == header() and (cloud.height, cloud.width) == (40, 52)
    assert len(pipeline.warnings) == 1


def test_suspicious_inputs_are_named_once(predictor):
    pipeline = Pipeline(predictor, {'segmentation'})
    k = [500.0, 0.0, 26.0, 0.0, 500.0, 20.0, 0.0, 0.0, 1.0]
    pipeline.camera_infos.put(CameraInfo(header=header(), width=40, height=40, k=k))
    dark = (RGB[..., 0].astype(np.uint16) << 4).reshape(40, 52)
    for _ in range(2):
        pipeline.send(array_to_image(dark, 'mono16', header()))
    assert len(pipeline.warnings) == 2
    assert '10 or 12 bits' in pipeline.warnings[0]
    assert 'for images of 40x40' in pipeline.warnings[1]
    assert pipeline.processor.input_facts.fault == pipeline.warnings[1]


def test_outputs_of_the_working_size_have_its_calibration():
    bundle = published_bundle('nyud40_normals', canonical_focal=500.0)
    small = Predictor(bundle, warm_up_size=None, working_width=104, output_size='working')
    topics = {'segmentation', 'depth', 'depth/camera_info', 'overlay', 'points'}
    pipeline = Pipeline(small, topics)
    k = [500.0, 0.0, 26.0, 0.0, 500.0, 20.0, 0.0, 0.0, 1.0]
    pipeline.camera_infos.put(CameraInfo(header=header(), width=52, height=40, k=k))
    published = pipeline.send(image())
    assert {(m.width, m.height) for (m,) in published.values()} == {(104, 80)}
    info = published['depth/camera_info'][0]
    assert (info.k[0], info.k[2], info.k[5]) == (1000.0, 52.5, 40.5)
    assert pipeline.processor.input_facts.working_size == '104x80'


def test_a_focal_length_that_the_model_was_not_trained_for_is_named_once():
    bundle = published_bundle('nyud40_normals', canonical_focal=500.0)
    limited = replace(bundle, metadata=replace(bundle.metadata, focal_range=(200.0, 250.0)))
    pipeline = Pipeline(
        Predictor(limited, warm_up_size=None, working_width=NATIVE), {'segmentation'}
    )
    k = [500.0, 0.0, 26.0, 0.0, 500.0, 20.0, 0.0, 0.0, 1.0]
    pipeline.camera_infos.put(CameraInfo(header=header(), width=52, height=40, k=k))
    for _ in range(2):
        pipeline.send(image())
    (warning,) = pipeline.warnings
    assert 'a focal length of 500 px, but it was trained for 200 to 250 px' in warning
    assert pipeline.processor.input_facts.fault == warning


def test_a_dark_image_of_16_bits_is_not_suspicious(predictor):
    pipeline = Pipeline(predictor, {'segmentation'})
    bright = np.full((40, 52), 5000, np.uint16)
    pipeline.send(array_to_image(bright, 'mono16', header()))
    pipeline.send(array_to_image(bright // 5, 'mono16', header()))
    assert pipeline.warnings == []


def test_rectified_images_have_the_focal_length_of_p(predictor):
    k = [500.0, 0.0, 26.0, 0.0, 500.0, 20.0, 0.0, 0.0, 1.0]
    p = [250.0, 0.0, 26.0, 0.0, 0.0, 250.0, 20.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    depths = []
    for rectified in (False, True):
        pipeline = Pipeline(predictor, {'depth'}, settings={'image_rectified': rectified})
        pipeline.camera_infos.put(CameraInfo(header=header(), width=52, height=40, k=k, p=p))
        depths.append(np.frombuffer(pipeline.send(image())['depth'][0].data, np.float32))
    np.testing.assert_allclose(depths[0], 2 * depths[1], rtol=1e-5)


def test_compressed_images(predictor):
    pipeline = Pipeline(predictor, {'segmentation'}, transport='compressed')
    _, data = cv2.imencode('.png', RGB[..., ::-1])
    message = CompressedImage(
        header=header(), format='rgb8; png compressed bgr8', data=data.tobytes()
    )
    (published,) = pipeline.send(message)['segmentation']
    assert published.header == header()
    labels = np.frombuffer(published.data, np.uint8).reshape(40, 52)
    np.testing.assert_array_equal(labels, predictor.predict(RGB).labels)


@pytest.mark.parametrize(
    ('data', 'sentence'),
    [
        (b'', 'A message of 0 bytes is not a valid Image'),
        (b'\x00\x01\x00\x00garbage', 'A message of 11 bytes is not a valid Image'),
        (
            serialize_message(array_to_image(RGB[:20, :20].copy(), 'rgb8', header())),
            'too small: the network needs at least',
        ),
    ],
)
def test_garbage_is_refused_in_one_sentence(predictor, data, sentence):
    pipeline = Pipeline(predictor, {'depth'})
    with pytest.raises(HydranetError, match=sentence):
        pipeline.processor.perceive(Arrival(data, time.monotonic()))
    assert pipeline.send(image())  # the next image is processed


def test_a_predictor_is_replaced_between_frames():
    old = Predictor(published_bundle('nyud40_kitti6'), device='cpu', warm_up_size=None)
    new = old.for_label_set('kitti6', RGB.shape[:2])
    pipeline = Pipeline(old, {'segmentation', 'segmentation/color'})
    processor, publishers = pipeline.processor, pipeline.publishers
    arrival = Arrival(serialize_message(image()), time.monotonic())
    perceived = processor.perceive(arrival)
    published_before = []

    def replace():
        with processor.between_frames():
            published_before.extend(publishers['segmentation'].messages)
            processor.predictor = new

    thread = threading.Thread(target=replace)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()  # a frame is still to be published
    processor.publish(perceived)
    thread.join(20)
    assert len(published_before) == 1
    processor.publish(processor.perceive(arrival))
    for index, predictor in enumerate((old, new)):
        labels = predictor.predict(RGB).labels
        assert predictor.label_set == load_label_set(('nyud40', 'kitti6')[index])
        for topic, expected in (
            ('segmentation', labels),
            ('segmentation/color', colorize_labels(labels, predictor.label_set)),
        ):
            data = np.frombuffer(publishers[topic].messages[index].data, np.uint8)
            np.testing.assert_array_equal(data.reshape(expected.shape), expected)


def test_an_output_that_cannot_be_sent_does_not_hold_a_replacement_back(predictor):
    pipeline = Pipeline(predictor, {'depth'})

    def fail(msg):
        raise RuntimeError('the context is gone')

    pipeline.publishers['depth'].publish = fail
    with pytest.raises(RuntimeError, match='gone'):
        pipeline.send(image())
    with pipeline.processor.between_frames():
        pass


def test_stages_and_age_are_measured(predictor):
    pipeline = Pipeline(predictor, {'depth'})
    pipeline.send(image())
    snapshot = pipeline.statistics.snapshot()
    assert snapshot.processed == 1
    durations = {name: p.p50 for name, p in snapshot.durations.items()}
    assert durations['age'] == pytest.approx(0.25)
    stages = ('wait', 'decode', 'predict', 'queued', 'publish')
    parts = sum(durations[name] for name in stages)
    assert durations['latency'] == pytest.approx(parts)
    assert durations['predict'] >= durations['predict/forward'] > 0


def test_a_time_that_jumped_back_leaves_the_age_out(predictor):
    pipeline = Pipeline(predictor, {'depth'}, now=STAMP - 10**9)
    pipeline.send(image())
    assert 'age' not in pipeline.statistics.snapshot().durations
