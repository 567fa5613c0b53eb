# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`hydranet demo` end to end: three processes over DDS, and the files that they write."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

import cv2
import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.bags.bag_files import BagReader, BagWriter
from hydranet_ros.bags.message_types import (
    COMPRESSED_IMAGE_TYPE,
    image_message,
    IMAGE_TYPE,
    new_typestore,
)
from hydranet_ros.cli import demo
from hydranet_ros.data.image_files import read_rgb
from hydranet_ros.data.media import open_source, VideoWriter
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp
from hydranet_ros.model.bundle import save_bundle

SIZE = (64, 96)  # height, width
COUNT = 20
FRONT, REAR = '/robot/front/image/compressed', '/robot/rear/image'


def picture(index: int) -> np.ndarray:
    generator = np.random.default_rng(index)
    small = generator.integers(0, 256, (4, 6, 3), np.uint8)
    return np.asarray(cv2.resize(small, SIZE[::-1]), np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / 'ride.mp4'
    with VideoWriter(path, 5.0) as writer:
        for index in range(COUNT):
            writer.write(picture(index))
    return path


def hydranet_demo(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return demo.run(parser.parse_args([str(argument) for argument in arguments]))


def compressed(rgb: np.ndarray, header: Any) -> Any:
    data = cv2.imencode('.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].reshape(-1)
    kind = new_typestore().types[COMPRESSED_IMAGE_TYPE]
    return kind(header=header, format='rgb8; png compressed bgr8', data=data)


def table(text: str) -> dict[str, int]:
    """Return the numbers of frames from the printed table."""
    rows = (line.split() for line in text.splitlines() if line.startswith('frames '))
    return {row[1]: int(row[2]) for row in rows}


def test_a_video_is_shown_with_untrained_weights(
    video: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('hydranet_ros.cli.demo_model.default_model', lambda: None)
    output = tmp_path / 'output'
    assert hydranet_demo('--video', video, '-o', output) == 0
    text = capsys.readouterr().out
    assert 'UNTRAINED' in text
    assert 'focal length assumed: 96 px' in text
    frames = table(text)
    assert frames['played'] == COUNT
    assert 0 < frames['processed'] <= COUNT
    assert frames['dropped'] == COUNT - frames['processed']
    with BagReader(output / 'bag') as bag:
        counts = {name: topic.count for name, topic in bag.topics.items()}
        segmentation = [(m.time, read_stamp(m.data)) for m in bag.messages(['/segmentation'])]
        images = {read_stamp(m.data) for m in bag.messages(['/camera/image_raw'])}
    assert counts['/camera/image_raw'] == counts['/camera/camera_info'] == COUNT
    for topic in ('/segmentation', '/depth', '/depth/camera_info'):
        assert counts[topic] == frames['processed']
    assert counts['/diagnostics'] > 0
    assert {stamp for _, stamp in segmentation} <= images
    assert all(0 < received - stamp < 60 * NANOSECONDS for received, stamp in segmentation)
    film = open_source(str(output / 'demo.mp4'))
    assert film.count == frames['processed']
    assert read_rgb(output / 'contact_sheet.png').std() > 10
    assert {path.name for path in output.iterdir()} == {'bag', 'demo.mp4', 'contact_sheet.png'}


def test_a_bag_of_the_user_is_shown_with_a_model_of_theirs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, bag_path, output = tmp_path / 'mine.safetensors', tmp_path / 'drive', tmp_path / 'out'
    save_bundle(model, published_bundle('nyud40_normals'))
    with BagWriter(bag_path) as bag:
        bag.add_topic(FRONT, COMPRESSED_IMAGE_TYPE)
        bag.add_topic(REAR, IMAGE_TYPE)
        for index in range(8):
            stamp = NANOSECONDS * (100 + index) // 4
            raw = image_message(picture(index), stamp)
            bag.write_message(FRONT, stamp, compressed(picture(index), raw.header))
            bag.write_message(REAR, stamp, raw)
    with pytest.raises(HydranetError, match='2 topics with images'):
        hydranet_demo('--video', bag_path, '--model', model, '-o', output)
    with pytest.raises(HydranetError, match='no images on /lidar'):
        hydranet_demo('--video', bag_path, '--model', model, '-o', output, '--image', '/lidar')
    arguments = ['--video', bag_path, '--model', model, '-o', output]
    assert hydranet_demo(*arguments, '--image', FRONT) == 0
    text = capsys.readouterr().out
    assert 'UNTRAINED' not in text
    assert 'no calibration on /robot/front/camera_info' in text
    assert table(text)['played'] == 8
    with BagReader(output / 'bag') as bag:
        assert REAR not in bag.topics
        processed = bag.topics['/segmentation'].count
        assert processed == bag.topics['/normals'].count == bag.topics['/depth'].count > 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_nothing_stays_behind_when_interrupted(
    video: Path, tmp_path: Path, number: signal.Signals
) -> None:
    temporary = tmp_path / 'temporary'
    temporary.mkdir()
    command = [sys.executable, '-m', 'hydranet_ros.cli.main', 'demo', '--video', str(video)]
    # A shell starts background processes with SIGINT ignored, and children inherit this.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*command, '-o', str(tmp_path / 'output')],
        env={**os.environ, 'TMPDIR': str(temporary)},
        stderr=subprocess.PIPE,
    )
    signal.signal(signal.SIGINT, previous)
    deadline = time.monotonic() + 60
    while not list(temporary.glob('*/log/bag_player.log')):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    message = process.communicate(timeout=90)[1].decode()
    assert process.returncode == 130
    assert 'interrupted' in message
    assert 'Traceback' not in message
    assert not list(temporary.iterdir())
    left = [p for p in Path('/proc').glob('[0-9]*/cmdline') if str(temporary) in _text(p)]
    assert not left


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has already ended
        return ''
