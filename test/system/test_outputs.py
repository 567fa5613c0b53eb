# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Clouds, confidence and overlays of a running node over DDS, with changing subscribers."""

from __future__ import annotations

import cv2
import numpy as np
from rclpy.qos import qos_profile_sensor_data
from ros_client import noise, pixels, RosClient
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from hydranet_ros.camera.points import POINT


def calibration(message, fx=60.0):
    """Return the calibration of an ideal camera for an image."""
    k = [fx, 0.0, message.width / 2, 0.0, fx, message.height / 2, 0.0, 0.0, 1.0]
    p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    return CameraInfo(header=message.header, width=message.width, height=message.height, k=k, p=p)


def exchange_calibrated(client, message, *received):
    """Send an image and its calibration until every subscription has received its output."""

    def calibrated():
        client.camera_infos.publish(calibration(message))
        client.images.publish(message)
        found = [[m for m in messages if m.header == message.header] for messages in received]
        return [matches[0] for matches in found] if all(found) else None

    return client.until(calibrated, 'outputs of a calibrated image')


def test_cloud_and_depth_agree_as_depth_image_proc_would_have_it(client):
    cloud, depth, info, segmentation = (
        client.subscribe(kind, topic)
        for kind, topic in (
            (PointCloud2, 'points'),
            (Image, 'depth'),
            (CameraInfo, 'depth/camera_info'),
            (Image, 'segmentation'),
        )
    )
    rgb = noise(48, 64)
    answers = exchange_calibrated(client, client.image(rgb), cloud, depth, info, segmentation)
    points = np.frombuffer(answers[0].data, POINT).reshape(48, 64)
    z, p = pixels(answers[1]), answers[2].p
    v, u = np.mgrid[0:48, 0:64]
    np.testing.assert_allclose(points['x'], (u - p[2]) * z / p[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(points['y'], (v - p[6]) * z / p[5], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(points['z'], z)
    np.testing.assert_array_equal(points['label'], pixels(answers[3]))
    blue_green_red = np.ascontiguousarray(points['rgb']).view(np.uint8).reshape(48, 64, 4)
    np.testing.assert_array_equal(blue_green_red[..., 2::-1], rgb)


def test_parameters_of_outputs_can_change_while_it_runs(client):
    cloud, picture = client.subscribe(PointCloud2, 'points'), client.subscribe(Image, 'overlay')
    assert client.set_parameters(points_stride=4, overlay_opacity=0.0) == ''
    try:
        rgb = noise(50, 66)
        points, shown = exchange_calibrated(client, client.image(rgb), cloud, picture)
        assert (points.height, points.width) == (13, 17)
        np.testing.assert_array_equal(pixels(shown), rgb)
    finally:
        assert client.set_parameters(points_stride=1, overlay_opacity=0.5) == ''
    assert 'points_stride out of range' in client.set_parameters(points_stride=0)
    assert 'cannot change while' in client.set_parameters(confidence=True)


def test_compressed_segmentation(client):
    plain = client.subscribe(Image, 'segmentation')
    packed = client.subscribe(CompressedImage, 'segmentation/compressed')
    first, second = client.exchange(client.image(noise(70, 90)), plain, packed)
    labels = cv2.imdecode(np.frombuffer(second.data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(labels, pixels(first))


def test_a_subscriber_comes_late_leaves_and_returns(client):
    early = client.subscribe(Image, 'depth')
    client.exchange(client.image(noise(40, 48)), early)
    late = client.subscribe(Image, 'overlay')
    message = client.image(noise(40, 48, seed=1))
    shown = client.exchange(message, early, late)[1]
    assert shown.header == message.header
    client.unsubscribe_all()

    # Without subscribers, inference is skipped.
    def idle():
        client.images.publish(client.image(noise(40, 48)))
        return [r for r in client.reports if r.message.startswith('Idle')]

    client.reports.clear()
    client.until(idle, 'the node to be idle')
    count = len(late)
    again = client.subscribe(Image, 'overlay')
    message = client.image(noise(40, 48, seed=2))
    (shown,) = client.exchange(message, again)
    assert shown.header == message.header and len(late) == count


def test_consumers_that_ask_for_best_effort_are_served(client):
    received = []
    client.node.create_subscription(
        Image, 'segmentation', received.append, qos_profile_sensor_data
    )
    message = client.image(noise(40, 48))
    assert client.exchange(message, received)[0].header == message.header


def test_confidence_where_it_was_asked_for(start_node, model):
    node = start_node('/sure', model=str(model), confidence=True)
    client = RosClient('/sure')
    try:
        client.until(lambda: client.state() == 'active', 'the node to become active')
        confidence = client.subscribe(Image, 'confidence')
        segmentation = client.subscribe(Image, 'segmentation')
        message = client.image(noise(40, 48))
        sure, labels = client.exchange(message, confidence, segmentation)
        assert sure.encoding == 'mono8' and sure.header == labels.header == message.header
        values = pixels(sure)
        # The best of 40 classes has at least a probability of 1/40.
        assert values.shape == (40, 48) and values.min() >= 255 // 40 and values.std() > 0
    finally:
        client.close()
    assert node.popen.poll() is None, node.last_lines()


def test_without_the_parameter_there_is_no_confidence(client):
    names = dict(client.node.get_topic_names_and_types())
    assert '/confidence' not in names and '/points' in names
