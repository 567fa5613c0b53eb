# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The node as a process: start, errors at the start, end by a signal."""

from __future__ import annotations

from collections.abc import Iterator
import signal

import numpy as np
from published import published_bundle
import pytest
from ros_client import noise, PATIENCE, pixels, RosClient, with_header
from sensor_msgs.msg import CompressedImage, Image

from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.pictures.render import colorize_labels

NAMESPACE = '/robot'


@pytest.fixture
def robot() -> Iterator[RosClient]:
    """Return the client of a node that the test starts in a namespace of its own."""
    client = RosClient(NAMESPACE)
    yield client
    client.close()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly_while_it_works(start_node, robot, model, number):
    process = start_node(NAMESPACE, model=str(model))
    depth = robot.subscribe(Image, 'depth')
    rgb = noise(200, 320)

    def busy():
        robot.images.publish(robot.image(rgb))
        return len(depth) >= 3

    robot.until(busy, 'outputs of a node that has more images than it can take')
    process.popen.send_signal(number)
    assert process.popen.wait(PATIENCE) == 0, process.last_lines()
    log = process.log.read_text()
    assert 'Configured in' in log
    assert 'Traceback' not in log and '[ERROR] [' not in log, log


def test_the_label_set_switches_while_images_come(start_node, robot, tmp_path):
    model = tmp_path / 'joint.safetensors'
    save_bundle(model, published_bundle('nyud40_kitti6'))
    process = start_node(NAMESPACE, model=str(model))
    labels = robot.subscribe(Image, 'segmentation')
    colors = robot.subscribe(Image, 'segmentation/color')
    camera = robot.node.create_timer(
        0.02, lambda: robot.images.publish(robot.image(noise(64, 96, len(labels))))
    )
    robot.until(lambda: len(labels) >= 3, 'outputs of the first label set')
    assert robot.get_parameter('class_names') == list(load_label_set('nyud40').classes)
    assert robot.set_parameters(label_set='kitti6') == ''
    assert robot.get_parameter('class_names') == list(load_label_set('kitti6').classes)
    answered = len(labels)
    robot.until(lambda: len(labels) >= answered + 5, 'outputs of the second label set')
    reason = robot.set_parameters(label_set='camvid11')
    assert reason.endswith("has no label set 'camvid11'; it has: nyud40, kitti6.")
    robot.node.destroy_timer(camera)

    def used(message):
        """Return the label set of a frame, by its ids and their colours."""
        color = robot.until(lambda: with_header(colors, message.header), 'the colours')
        ids = pixels(message)
        (name,) = (
            name
            for name in ('nyud40', 'kitti6')
            if ids.max() < load_label_set(name).size
            and np.array_equal(pixels(color), colorize_labels(ids, load_label_set(name)))
        )
        return name

    names = [used(message) for message in labels]
    assert set(names) == {'nyud40', 'kitti6'}
    assert names == sorted(names, reverse=True)  # no frame falls back
    assert robot.figures()['label set'] == 'kitti6'
    assert 'Label set kitti6 is in use after' in process.log.read_text()


def test_a_missing_model_is_told_and_can_be_mended(start_node, robot, model):
    # The override requests more than the camera offers; the test checks the message below.
    process = start_node(
        NAMESPACE,
        model='/no/such.safetensors',
        image_timeout=0.5,
        **{'qos_overrides./robot/image.subscription.reliability': 'reliable'},
    )
    sentence = "There is no model '/no/such.safetensors'"
    report = robot.report(sentence)
    assert report.level == b'\x02' and report.message.startswith('Unconfigured: ')
    assert process.log.read_text().count(sentence) == 1
    assert robot.state() == 'unconfigured'
    assert not robot.change_state('configure')

    assert robot.set_parameters(model=str(model)) == ''
    assert robot.change_state('configure', 'activate')
    # The publishers are best effort, so they are incompatible.
    report = robot.report('an incompatible quality of service (RELIABILITY)')
    assert report.level == b'\x02' and 'No image on /robot/image for ' in report.message
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(PATIENCE) == 0, process.last_lines()
    assert 'Traceback' not in process.log.read_text()


def test_waits_for_a_manager_without_autostart_and_says_why_nothing_comes(
    start_node, robot, model
):
    start_node(NAMESPACE, model=str(model), autostart=False, image_timeout=0.3)
    robot.report('Unconfigured: waiting to be configured and activated.')
    assert robot.state() == 'unconfigured'
    robot.node.destroy_publisher(robot.images)
    assert robot.change_state('configure', 'activate')
    report = robot.report('No image on /robot/image')
    assert report.level == b'\x02' and 'it has no publisher' in report.message
    robot.node.create_publisher(CompressedImage, 'image', 1)
    report = robot.report('its type is sensor_msgs/msg/CompressedImage')
    assert '(parameter image_transport)' in report.message


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'image_transport': 'theora'}, "'image_transport' must be one of raw, compressed"),
        ({'0bad name': 1}, 'perception_node: the ROS arguments are invalid: '),
    ],
)
def test_bad_arguments_end_the_process_in_one_sentence(start_node, parameters, sentence):
    process = start_node(**parameters)
    assert process.popen.wait(PATIENCE) == 1
    log = process.log.read_text()
    assert sentence in log and 'Traceback' not in log
