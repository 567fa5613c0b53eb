# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Diagnostics of the node: severity, message and figures."""

from dataclasses import replace

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
import pytest

from hydranet_ros.node.perception.diagnostics import (
    assess,
    diagnostic_array,
    key_values,
    Level,
    Report,
)
from hydranet_ros.node.perception.frame_processor import InputFacts
from hydranet_ros.node.perception.statistics import Percentiles, Snapshot

FACTS = InputFacts(640, 480, 'camera', calibrated=True, scale_assumed=False)
HEALTHY = Report(
    state='active',
    statistics=Snapshot(
        received=100,
        processed=30,
        dropped=69,
        rate=12.345,
        durations={'latency': Percentiles(0.0123, 0.0456)},
        uptime=60.0,
        since_image=0.01,
        since_processed=0.05,
    ),
    image_topic='/camera/image',
    image_type='sensor_msgs/msg/Image',
    publisher_types=['sensor_msgs/msg/Image'],
    image_timeout=2.0,
    input_facts=FACTS,
    camera_info_frame='camera',
    facts={'model': 'kitti6', 'device': 'cpu'},
)


def with_statistics(**changes):
    """Return the report of a healthy node with other statistics."""
    return replace(HEALTHY, statistics=replace(HEALTHY.statistics, **changes))


SILENT = with_statistics(since_image=7.3, since_processed=7.2)
UNCALIBRATED = replace(FACTS, calibrated=False, scale_assumed=True)

CASES = {
    'healthy': (HEALTHY, Level.OK, 'Running at 12.3 Hz.'),
    'unconfigured': (Report('unconfigured'), Level.WARN, 'Unconfigured: waiting'),
    'inactive': (Report('inactive'), Level.WARN, 'Inactive: waiting'),
    'finalized': (Report('finalized'), Level.WARN, 'Finalized: restart the process'),
    'no model': (
        Report('unconfigured', fault='There is no model x.'),
        Level.ERROR,
        'Unconfigured: There is no model x.',
    ),
    'just started': (
        replace(HEALTHY, statistics=Snapshot(uptime=1.0), input_facts=None),
        Level.OK,
        'Waiting for the first image on /camera/image.',
    ),
    'no publisher': (
        replace(HEALTHY, statistics=Snapshot(uptime=2.5), publisher_types=[]),
        Level.ERROR,
        'No image on /camera/image for 2.5 s: it has no publisher.',
    ),
    'nothing arrives': (
        SILENT,
        Level.ERROR,
        'No image on /camera/image for 7.3 s: it has 1 publisher(s) but no image '
        'arrives; start the camera driver and this node with',
    ),
    'another type': (
        replace(SILENT, publisher_types=['sensor_msgs/msg/CompressedImage']),
        Level.ERROR,
        'its type is sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image (parameter '
        'image_transport).',
    ),
    'incompatible': (
        replace(SILENT, incompatible_qos='it offers too little'),
        Level.ERROR,
        'for 7.3 s: it offers too little.',
    ),
    'an image refused among good ones': (
        with_statistics(failed=1, since_failure=1.0, last_error='Too small.'),
        Level.WARN,
        '1 images failed; the last: Too small.',
    ),
    'all images refused': (
        with_statistics(failed=9, since_failure=0.1, since_processed=3.0, last_error='Bad.'),
        Level.ERROR,
        '9 images failed; the last: Bad.',
    ),
    'no image ever processed': (
        with_statistics(failed=9, since_failure=0.1, since_processed=None, last_error='Bad.'),
        Level.ERROR,
        '9 images failed',
    ),
    'refused long ago': (
        with_statistics(failed=1, since_failure=60.0, last_error='Bad.'),
        Level.OK,
        'Running',
    ),
    'lost': (with_statistics(lost=12, since_loss=0.5), Level.WARN, '12 images were lost'),
    'lost long ago': (with_statistics(lost=12, since_loss=60.0), Level.OK, 'Running'),
    'idle': (
        with_statistics(since_idle=0.1, since_processed=None),
        Level.OK,
        'Idle: no output has a subscriber.',
    ),
    'idle again': (with_statistics(since_idle=0.1, since_processed=0.2), Level.OK, 'Idle'),
    'idle no more': (with_statistics(since_idle=0.1, since_processed=0.01), Level.OK, 'Running'),
    'no calibration': (
        replace(HEALTHY, input_facts=UNCALIBRATED, camera_info_frame=None),
        Level.WARN,
        'assumed focal length because no camera_info arrives.',
    ),
    'calibration of another frame': (
        replace(HEALTHY, input_facts=UNCALIBRATED, camera_info_frame='left'),
        Level.WARN,
        "camera_info is for frame 'left' and the images are for 'camera'.",
    ),
    'uncalibrated camera': (
        replace(HEALTHY, input_facts=replace(FACTS, scale_assumed=True)),
        Level.WARN,
        'because camera_info has no focal length.',
    ),
    'suspicious calibration': (
        replace(HEALTHY, input_facts=replace(FACTS, scale_assumed=True, fault='K is zero.')),
        Level.WARN,
        'K is zero.',
    ),
    # A model for one camera: depth needs no calibration.
    'no calibration needed': (
        replace(HEALTHY, input_facts=replace(FACTS, calibrated=False), camera_info_frame=None),
        Level.OK,
        'Running',
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_severity_and_sentence(case):
    report, level, sentence = CASES[case]
    found, message = assess(report)
    assert sentence in message
    assert found == level
    assert message.endswith('.') and '\n' not in message


def test_levels_are_those_of_the_message():
    for level in Level:
        assert bytes([level]) == getattr(DiagnosticStatus, level.name)


def test_figures():
    values = key_values(HEALTHY)
    assert values['rate (Hz)'] == '12.35'
    assert values['latency p50 (ms)'] == '12.3' and values['latency p95 (ms)'] == '45.6'
    assert values['images received'] == '100' and values['images dropped'] == '69'
    assert values['image size'] == '640x480' and values['image frame_id'] == 'camera'
    assert values['model'] == 'kitti6' and values['depth scale'] == 'known'
    assert all(isinstance(value, str) for value in values.values())


def test_message():
    stamp = Time(sec=3, nanosec=4)
    array = diagnostic_array(HEALTHY, '/robot/perception_node', stamp)
    assert array.header.stamp == stamp
    (status,) = array.status
    assert status.name == 'robot/perception_node: perception'
    assert status.level == DiagnosticStatus.OK and status.hardware_id == 'cpu'
    assert {v.key: v.value for v in status.values} == key_values(HEALTHY)
