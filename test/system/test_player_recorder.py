# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The bag player and the bag recorder as processes that talk over DDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import signal
import time
from typing import Any

import numpy as np
import pytest

from hydranet_ros.bags.bag_files import BagReader, BagWriter, STORAGES
from hydranet_ros.bags.message_types import (
    camera_info_message,
    CAMERA_INFO_TYPE,
    image_message,
    IMAGE_TYPE,
)
from hydranet_ros.launching.process_group import ProcessGroup
from hydranet_ros.launching.process_specs import image_transport_environment, PACKAGE, ProcessSpec
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp, replace_stamp

IMAGE, INFO, ANCHOR = '/camera/image_raw', '/camera/camera_info', '/anchor'
START = 1_700_000_000 * NANOSECONDS
PERIOD = 40_000_000
PATIENCE = 60.0
QUIET = 4.0  # seconds; longer than any pause of a busy machine


@pytest.fixture
def group(tmp_path: Path) -> Iterator[ProcessGroup]:
    logs = tmp_path / 'log'
    logs.mkdir()
    with ProcessGroup(logs, image_transport_environment()) as processes:
        yield processes


def make_bag(path: Path, count: int, size: tuple[int, int] = (60, 80)) -> Path:
    """Write images and camera information at 25 Hz, and one latched message before them."""
    generator = np.random.default_rng(0)
    with BagWriter(path) as bag:
        bag.add_topic(IMAGE, IMAGE_TYPE)
        bag.add_topic(INFO, CAMERA_INFO_TYPE)
        bag.add_topic(ANCHOR, CAMERA_INFO_TYPE, latched=True)
        bag.write_message(ANCHOR, START, camera_info_message(1, 1, 1.0, START - 1))
        for index in range(count):
            stamp = START + index * PERIOD
            image = generator.integers(0, 256, (*size, 3), np.uint8)
            info = camera_info_message(size[1], size[0], 100.0 + index, stamp)
            # As a driver does: published shortly after the exposure.
            bag.write_message(IMAGE, stamp + 5_000_000, image_message(image, stamp))
            bag.write_message(INFO, stamp + 5_000_000, info)
    return path


def player(bag: Path, **parameters: Any) -> ProcessSpec:
    return ProcessSpec(
        PACKAGE, 'bag_player', 'bag_player', parameters={'bag': str(bag), **parameters}
    )


def recorder(bag: Path, **parameters: Any) -> ProcessSpec:
    return ProcessSpec(
        PACKAGE, 'bag_recorder', 'bag_recorder', parameters={'bag': str(bag), **parameters}
    )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def contents(path: Path) -> dict[str, list[tuple[int, bytes]]]:
    with BagReader(path) as bag:
        return {
            topic: [(m.time, m.data) for m in bag.messages((topic,))]
            for topic in bag.topics
            if bag.topics[topic].count
        }


def same(sent: bytes, received: bytes) -> bool:
    """Compare messages; DDS pads them to a multiple of four bytes."""
    return received[: len(sent)] == sent and len(received) - len(sent) < 4


def replay(group: ProcessGroup, bag: Path, record: ProcessSpec, **parameters: Any) -> None:
    """Play a bag to a recorder until everything is recorded."""
    recording = group.start(record)
    playing = group.start(player(bag, wait_for=[IMAGE, INFO], **parameters))
    group.wait(playing, recording, timeout=PATIENCE)


@pytest.mark.parametrize('storage', STORAGES)
def test_nothing_is_lost_or_changed(group: ProcessGroup, tmp_path: Path, storage: str) -> None:
    bag = make_bag(tmp_path / 'played', 60, (272, 640))
    output = tmp_path / 'recorded'
    topics = [IMAGE, INFO, ANCHOR]
    record = recorder(output, topics=topics, storage=storage, quiet_timeout=QUIET)
    replay(group, bag, record)
    sent, received = contents(bag), contents(output)
    assert set(received) == set(topics)
    for topic in topics:
        assert len(received[topic]) == len(sent[topic])
        for (_, before), (_, after) in zip(sent[topic], received[topic], strict=True):
            assert same(before, after)
    with BagReader(output) as recording:
        assert recording.topics[ANCHOR].latched
        assert not recording.topics[IMAGE].latched


@pytest.mark.parametrize('rate', [1.0, 2.0])
def test_restamped_messages_have_real_ages(
    group: ProcessGroup, tmp_path: Path, rate: float
) -> None:
    bag, output = make_bag(tmp_path / 'played', 20), tmp_path / 'recorded'
    replay(group, bag, recorder(output, quiet_timeout=QUIET), restamp=True, rate=rate)
    sent, received = contents(bag), contents(output)
    stamps = [read_stamp(data) for _, data in received[IMAGE]]
    assert stamps == [read_stamp(data) for _, data in received[INFO]]
    assert np.diff(stamps) == pytest.approx(PERIOD / rate, abs=1000)
    # A stamp is the due time: no message arrives before it, or much later on a busy machine.
    for (_, before), (time_received, after) in zip(sent[IMAGE], received[IMAGE], strict=True):
        assert same(replace_stamp(before, read_stamp(after)), after)
        assert 0 < time_received - read_stamp(after) < 10 * NANOSECONDS


def test_offset_and_clock_at_another_rate(group: ProcessGroup, tmp_path: Path) -> None:
    bag, output = make_bag(tmp_path / 'played', 50), tmp_path / 'recorded'
    record = recorder(output, topics=[IMAGE, INFO, '/clock'], quiet_timeout=QUIET)
    replay(group, bag, record, rate=2.0, start_offset=1.0, clock=50.0, topics=[IMAGE, INFO])
    received = contents(output)
    assert len(received[IMAGE]) == len(received[INFO]) == 25
    assert read_stamp(received[IMAGE][0][1]) == START + 25 * PERIOD
    clock = [read_stamp(data) for _, data in received['/clock']]
    assert clock == sorted(clock)
    assert START + NANOSECONDS <= clock[0] < START + 2 * NANOSECONDS
    # The clock is never ahead of the messages, and runs until the end.
    last = START + 49 * PERIOD + 5_000_000
    assert last - PERIOD <= clock[-1] <= last


@pytest.mark.parametrize(('number', 'restamp'), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_both_end_cleanly_when_asked_to(
    group: ProcessGroup, tmp_path: Path, number: signal.Signals, restamp: bool
) -> None:
    output = tmp_path / 'recorded'
    recording = group.start(recorder(output))
    bag = make_bag(tmp_path / 'played', 5)
    playing = group.start(player(bag, loop=True, restamp=restamp, wait_for=[IMAGE]))
    until(lambda: b'Playing' in playing.log.read_bytes())
    # Wait for at least three rounds: the recording is larger than their images.
    until(lambda: sum(p.stat().st_size for p in output.glob('*')) > 15 * 60 * 80 * 3)
    for process in (playing, recording):
        process.popen.send_signal(number)
        assert process.popen.wait(PATIENCE) == 0, process.last_lines()
        assert 'Traceback' not in process.log.read_text()
    received = contents(output)
    assert len(received[IMAGE]) > 15
    stamps = [read_stamp(data) for _, data in received[IMAGE]]
    if restamp:
        assert all(np.diff(stamps) > 0)
    else:
        assert stamps[:10] == [START + index * PERIOD for index in (*range(5), *range(5))]
    assert '/clock' not in received


def test_player_says_what_is_wrong(group: ProcessGroup, tmp_path: Path) -> None:
    bag, strange = make_bag(tmp_path / 'played', 2), tmp_path / 'strange'
    with BagWriter(strange) as writer:
        writer.add_topic(IMAGE, IMAGE_TYPE)
        writer.add_topic('/gripper', 'robot_msgs/msg/Gripper', definition='float32 opening')
        writer.write_message(IMAGE, START, image_message(np.zeros((2, 2, 3), np.uint8), START))
    cases = [
        (player(tmp_path / 'none'), 'There is no bag'),
        (player(bag, topics=['/lidar']), 'no topic /lidar'),
        (player(bag, rate=0.0), 'rate of a replay must be above 0'),
        (player(bag, wait_for=['/lidar']), '/lidar: it is not among the topics'),
        (player(bag, wait_timeout=0.2), f'fewer than 1 subscribers of {ANCHOR}, {INFO}, {IMAGE};'),
        (
            player(bag, wait_timeout=0.2, wait_for=[IMAGE, IMAGE]),
            f'fewer than 2 subscribers of {IMAGE};',
        ),
        (
            player(bag, wait_timeout=0.2, wait_for_publishers=['/answer']),
            'no publishers of /answer;',
        ),
        # Topics that cannot be played are not waited for.
        (
            player(strange, wait_timeout=0.2, wait_for=['/gripper', IMAGE]),
            f'fewer than 1 subscribers of {IMAGE};',
        ),
    ]
    for spec, sentence in cases:
        process = group.start(spec)
        assert process.popen.wait(PATIENCE) == 1
        assert sentence in process.log.read_text()
        assert 'Traceback' not in process.log.read_text()


def test_recorder_does_not_overwrite(group: ProcessGroup, tmp_path: Path) -> None:
    bag = make_bag(tmp_path / 'bag', 1)
    before = contents(bag)
    process = group.start(recorder(bag))
    assert process.popen.wait(PATIENCE) == 1
    assert 'exists already' in process.log.read_text()
    assert contents(bag) == before
