# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Images sent to a running node over DDS, and its outputs."""

from __future__ import annotations

from array import array
import time

import cv2
import numpy as np
import pytest
from ros_client import FRAME_ID, next_header, noise, pixels
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.tasks import default_fields
from hydranet_ros.node.perception.outputs import available_outputs
from hydranet_ros.runtime.predictor import Predictor

ENCODINGS = {
    'segmentation': 'mono8',
    'segmentation/color': 'rgb8',
    'overlay': 'rgb8',
    'depth': '32FC1',
    'depth/color': 'rgb8',
    'normals': '32FC3',
    'normals/color': 'rgb8',
}
LABEL_SET = load_label_set('nyud40')


def stamp(message):
    """Return a message's stamp as a dictionary key."""
    return message.header.stamp.sec, message.header.stamp.nanosec


def calibration(header, width, height, fx):
    """Return the calibration of an ideal camera."""
    k = [fx, 0.0, width / 2, 0.0, fx, height / 2, 0.0, 0.0, 1.0]
    p = [fx, 0.0, width / 2, 0.0, 0.0, fx, height / 2, 0.0, 0.0, 0.0, 1.0, 0.0]
    return CameraInfo(header=header, width=width, height=height, k=k, p=p)


def test_every_output_over_dds(client, model):
    rgb = noise(70, 90)
    message = client.image(rgb)
    outputs = available_outputs(default_fields({'segmentation': 40, 'depth': 1, 'normals': 3}))
    received = {o.topic: client.subscribe(o.message_type, o.topic) for o in outputs}
    info = calibration(message.header, 180, 140, fx=800.0)  # twice the image's size

    def informed():
        client.camera_infos.publish(info)
        client.exchange(message, received['depth'])
        return received['depth/camera_info']

    client.until(informed, 'depth/camera_info')
    received['depth'].clear()
    answers = dict(zip(received, client.exchange(message, *received.values()), strict=True))
    for topic, encoding in ENCODINGS.items():
        answer = answers[topic]
        assert (answer.height, answer.width, answer.encoding) == (70, 90, encoding)
        assert answer.header == message.header
        assert len(answer.data) == answer.step * 70
    scaled = answers['depth/camera_info']
    assert scaled.header == message.header
    assert (scaled.width, scaled.height, scaled.k[0], scaled.p[5]) == (90, 70, 400.0, 400.0)

    expected = Predictor(model, device='cpu').predict(rgb, fx=400.0)
    labels = pixels(answers['segmentation'])
    # Threads may sum in another order, which can change a label at a tie.
    assert (labels == expected.labels).mean() > 0.999
    np.testing.assert_allclose(pixels(answers['depth']), expected.depth, rtol=1e-3)
    np.testing.assert_allclose(pixels(answers['normals']), expected.normals, atol=1e-3)
    np.testing.assert_array_equal(pixels(answers['segmentation/color']), LABEL_SET.colors[labels])


def test_without_calibration_the_diagnostics_say_that_the_scale_is_assumed(client):
    depth = client.subscribe(Image, 'depth')
    message = client.image(noise(40, 50), frame_id='another_camera')

    def said():
        client.exchange(message, depth)
        return [r for r in client.reports if 'assumed focal length' in r.message]

    client.reports.clear()
    assert client.until(said, 'a report on the scale')[0].level == b'\x01'


def test_the_size_may_change_between_frames(client):
    segmentation = client.subscribe(Image, 'segmentation')
    for height, width in ((48, 64), (97, 129), (33, 200), (48, 64)):
        (answer,) = client.exchange(client.image(noise(height, width)), segmentation)
        assert (answer.height, answer.width) == (height, width)


@pytest.mark.parametrize('encoding', ['bgr8', 'mono8', 'bayer_grbg8', 'yuv422_yuy2', 'bgra8'])
def test_encodings_with_padded_rows(client, encoding):
    channels = {'bgr8': 3, 'bgra8': 4, 'yuv422_yuy2': 2}.get(encoding, 1)
    step = 51 * channels + 13
    data = np.random.default_rng(0).integers(0, 256, 39 * step, dtype=np.uint8)
    message = Image(
        header=next_header(),
        height=39,
        width=51,
        step=step,
        encoding=encoding,
        data=array('B', data.tobytes()),
    )
    (answer,) = client.exchange(message, client.subscribe(Image, 'segmentation'))
    assert (answer.height, answer.width) == (39, 51)


def test_without_subscribers_the_network_rests(client):
    before = client.figures()

    def idle():
        client.images.publish(client.image(noise(40, 40)))
        return [r for r in client.reports if r.message.startswith('Idle')]

    client.reports.clear()
    client.until(idle, 'the node to be idle')
    after = client.figures()
    assert int(after['images idle']) > int(before['images idle'])
    assert after['images processed'] == before['images processed']


BAD_IMAGES = {
    'no message': (b'\x00\x01\x00\x00 garbage', 'A message of 12 bytes is not a valid Image.'),
    'too little data': (
        Image(height=48, width=64, encoding='rgb8', step=192, data=array('B', bytes(100))),
        'needs 9216 bytes of data and has 100.',
    ),
}


@pytest.mark.parametrize('kind', BAD_IMAGES)
def test_garbage_is_reported_and_the_next_good_image_passes(client, kind):
    bad, sentence = BAD_IMAGES[kind]
    segmentation = client.subscribe(Image, 'segmentation')
    good = client.image(noise(40, 40))
    client.exchange(good, segmentation)
    failed = int(client.figures()['images failed'])
    client.reports.clear()

    def refused():
        client.images.publish(bad)
        return [r for r in client.reports if sentence in r.message]

    (report, *_) = client.until(refused, sentence)
    assert report.level in (b'\x01', b'\x02')
    values = {value.key: value.value for value in report.values}
    assert sentence in values['last error'] and int(values['images failed']) > failed
    segmentation.clear()
    client.exchange(good, segmentation)


def test_a_slow_model_and_a_fast_camera_give_the_newest_frame(client):
    rgb = noise(720, 960)
    depth = client.subscribe(Image, 'depth')
    client.exchange(client.image(rgb), depth)  # the first image of a size may be compiled for
    begin = time.monotonic()
    client.exchange(client.image(rgb), depth)
    client.exchange(client.image(rgb), depth)
    period = min((time.monotonic() - begin) / 2 / 8, 1 / 30)
    before = client.figures()
    depth.clear()
    sent: dict[tuple[int, int], int] = {}  # stamp to number
    answered: list[int] = []  # number of images sent before each output
    next_time = 0.0

    def ours():
        # An image that was sent twice may have two outputs.
        return [message for message in depth if stamp(message) in sent]

    def step():
        nonlocal next_time
        if time.monotonic() >= next_time:
            message = client.image(rgb)
            client.images.publish(message)
            sent[stamp(message)] = len(sent)
            next_time = time.monotonic() + period
        answered.extend([len(sent)] * (len(ours()) - len(answered)))
        return len(answered) >= 8

    client.until(step, 'eight outputs', timeout=60)
    numbers = [sent[stamp(message)] for message in ours()]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 2 * len(numbers), 'the camera was not faster than the model'
    # An inference begins when the previous output is published, and uses the newest image. So
    # the age stays one inference, and no queue grows. On a busy machine a single output may be
    # received late.
    behind = [then - number for number, then in zip(numbers[1:], answered, strict=False)]
    assert np.median(behind) <= 4, (numbers, answered)
    after = client.figures()
    dropped, processed, received = (
        int(after[key]) - int(before[key])
        for key in ('images dropped', 'images processed', 'images received')
    )
    assert dropped > 0 and processed >= len(numbers)
    # At both readings up to two images may be received and not finished: one is processed, one
    # waits for it.
    assert abs(received - dropped - processed) <= 2
    assert received <= len(sent)


def test_time_that_stands_still_or_jumps_back_breaks_nothing(client):
    from rosgraph_msgs.msg import Clock

    clock = client.node.create_publisher(Clock, '/clock', 10)
    depth = client.subscribe(Image, 'depth')
    assert client.set_parameters(use_sim_time=True) == ''
    try:
        client.exchange(client.image(noise(40, 40)), depth)  # /clock is not published yet
        for seconds in (1_900_000_000, 1_000):
            time_message = Clock()
            time_message.clock.sec = seconds
            client.until(clock.get_subscription_count, 'a subscriber to /clock')
            clock.publish(time_message)
            client.exchange(client.image(noise(40, 40)), depth)
        assert client.figures()['state'] == 'active'
    finally:
        assert client.set_parameters(use_sim_time=False) == ''
        client.node.destroy_publisher(clock)


def test_compressed_images(client):
    rgb = noise(60, 80)
    raw = client.subscribe(Image, 'segmentation')
    (expected,) = client.exchange(client.image(rgb), raw)
    assert client.change_state('deactivate', 'cleanup')
    assert client.set_parameters(image_transport='compressed') == ''
    assert client.change_state('configure', 'activate')
    try:
        _, data = cv2.imencode('.png', rgb[..., ::-1])
        message = CompressedImage(
            header=next_header(), format='rgb8; png compressed bgr8', data=data.tobytes()
        )
        (answer,) = client.exchange(message, raw)
        assert answer.header.frame_id == FRAME_ID
        assert (pixels(answer) == pixels(expected)).mean() > 0.999
        garbage = CompressedImage(header=next_header(), format='jpeg', data=b'no jpeg')
        client.reports.clear()

        def refused():
            client.compressed.publish(garbage)
            return [r for r in client.reports if 'cannot be decoded' in r.message]

        client.until(refused, 'a report on the garbage')
        client.exchange(message, raw)
    finally:
        assert client.change_state('deactivate', 'cleanup')
        assert client.set_parameters(image_transport='raw') == ''
        assert client.change_state('configure', 'activate')
