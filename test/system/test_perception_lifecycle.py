# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Lifecycle and parameters of a running node, through its services."""

from __future__ import annotations

import numpy as np
from ros_client import noise, pixels
from sensor_msgs.msg import Image

from hydranet_ros.model.labels import load_label_set


def test_up_down_up(client):
    depth = client.subscribe(Image, 'depth')
    client.exchange(client.image(noise(40, 40)), depth)
    assert client.change_state('deactivate')
    assert client.state() == 'inactive'
    client.report('Inactive')
    depth.clear()
    client.images.publish(client.image(noise(40, 40)))
    assert client.figures()['images processed'] != '0'  # counts remain after deactivation
    assert not depth
    assert client.change_state('activate')
    client.exchange(client.image(noise(40, 40)), depth)
    # All transitions down and up again.
    assert client.change_state('deactivate', 'cleanup')
    assert client.state() == 'unconfigured'
    assert client.get_parameter('class_names') == ['']
    assert 'model' not in client.figures()
    assert client.change_state('configure', 'activate')
    client.exchange(client.image(noise(40, 40)), depth)
    assert client.figures()['model'] == 'nyud40_normals'
    # Transitions that the state does not allow are refused without side effects.
    assert not client.change_state('configure')
    assert client.state() == 'active'


def test_live_parameters_change_the_next_frame(client):
    color = client.subscribe(Image, 'depth/color')
    depth = client.subscribe(Image, 'depth')
    message = client.image(noise(40, 60))
    before, _ = client.exchange(message, color, depth)
    assert client.set_parameters(depth_color_minimum=1.0, depth_color_maximum=2.0) == ''
    assert client.set_parameters(depth_maximum=1.5) == ''
    color.clear()
    depth.clear()
    after, limited = client.exchange(message, color, depth)
    assert before.data != after.data
    metres = pixels(limited)
    invalid = np.isnan(metres)
    assert invalid.any() and (metres[~invalid] <= 1.5).all()
    assert not pixels(after)[invalid].any()
    assert client.set_parameters(depth_maximum=10000.0) == ''
    assert client.set_parameters(depth_color_minimum=0.5, depth_color_maximum=80.0) == ''


def test_other_parameters_are_refused_in_one_sentence(client):
    for values, sentence in (
        ({'model': 'another'}, "Parameter 'model' cannot change while the node is configured"),
        ({'depth_encoding': '16UC1'}, 'ros2 lifecycle set /perception_node deactivate'),
        ({'depth_color_maximum': -1.0}, 'out of range'),
        ({'depth_color_minimum': 90.0}, "must be less than 'depth_color_maximum' (80 m)"),
        ({'class_names': ['mine']}, 'comes from the model and cannot be set'),
        ({'autostart': False}, 'read-only'),
    ):
        reason = client.set_parameters(**values)
        assert sentence in reason and '\n' not in reason
    assert client.state() == 'active'


def test_class_names_are_those_of_the_model(client):
    assert client.get_parameter('class_names') == list(load_label_set('nyud40').classes)


def test_depth_in_millimetres_by_parameter(client):
    depth = client.subscribe(Image, 'depth')
    message = client.image(noise(40, 60))
    (metres,) = client.exchange(message, depth)
    assert client.change_state('deactivate', 'cleanup')
    assert client.set_parameters(depth_encoding='16UC1') == ''
    assert client.change_state('configure', 'activate')
    try:
        depth.clear()
        (millimetres,) = client.exchange(message, depth)
        assert millimetres.encoding == '16UC1'
        inside = pixels(metres) < 65.0
        expected = pixels(metres)[inside] * 1000
        np.testing.assert_allclose(pixels(millimetres)[inside], expected, rtol=1e-3, atol=0.6)
    finally:
        assert client.change_state('deactivate', 'cleanup')
        assert client.set_parameters(depth_encoding='32FC1') == ''
        assert client.change_state('configure', 'activate')
