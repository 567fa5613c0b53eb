# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What is read from recordings of the node, and when a replay plays what."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.bags.bag_files import BagMessage, BagReader, BagWriter
from hydranet_ros.bags.message_types import (
    image_message,
    IMAGE_TYPE,
    new_typestore,
)
from hydranet_ros.bags.playback import Restamper, Timeline
from hydranet_ros.bags.recording import last_diagnostics, match_by_stamp, result_times
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.annotations import image_values
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp

SECOND = NANOSECONDS
STORE = new_typestore()


def message(topic: str, stamp: int, time: int = 0) -> BagMessage:
    image = image_message(np.zeros((1, 1, 3), np.uint8), stamp)
    return BagMessage(topic, IMAGE_TYPE, time, bytes(STORE.serialize_cdr(image, IMAGE_TYPE)))


def test_messages_of_one_stamp_are_joined() -> None:
    order = [('a', 1), ('c', 1), ('a', 2), ('b', 1), ('a', 3), ('b', 3), ('a', 4), ('b', 5)]
    matched = list(match_by_stamp((message(*row) for row in order), ('a', 'b')))
    assert [{topic: read_stamp(m.data) for topic, m in frame.items()} for frame in matched] == [
        {'a': 1, 'b': 1},
        {'a': 3, 'b': 3},
    ]


def test_frames_that_stay_incomplete_are_forgotten() -> None:
    images = (message('a', stamp) for stamp in range(1, 1000))
    late = (message('b', stamp) for stamp in (1, 999))
    matched = [read_stamp(f['a'].data) for f in match_by_stamp((*images, *late), ('a', 'b'))]
    assert matched == [999]


def test_times_of_results(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', IMAGE_TYPE)
        bag.add_topic('/depth', IMAGE_TYPE)
        for topic, stamp, time in (
            ('/image', 10.0, 10.1),
            ('/image', 10.5, 10.6),
            ('/depth', 10.0, 10.7),
            ('/depth', 9.0, 10.9),  # its image came before the recording began
            ('/depth', 10.5, 11.2),
        ):
            data = message(topic, round(stamp * SECOND)).data
            bag.write(topic, round(time * SECOND), data)
    with BagReader(tmp_path / 'bag') as bag:
        times = result_times(bag, '/image', '/depth')
        none = result_times(bag, '/depth', '/image')
    assert times.arrivals == pytest.approx([0, 0.2, 0.5])
    assert times.ages == pytest.approx([0.7, 1.9, 0.7])
    assert times.latencies == pytest.approx([0.6, 0.6])
    assert (times.count, times.rate) == (3, pytest.approx(4.0))
    assert none.count == 2
    assert len(none.latencies) == 0


@pytest.mark.parametrize(
    ('values', 'encoding'),
    [
        (np.arange(6, dtype=np.uint8).reshape(2, 3), 'mono8'),
        (np.arange(6, dtype=np.uint16).reshape(2, 3) * 1000, '16UC1'),
        (np.linspace(0, 9, 6, dtype=np.float32).reshape(2, 3), '32FC1'),
        (np.linspace(-1, 1, 18, dtype=np.float32).reshape(2, 3, 3), '32FC3'),
    ],
)
@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('big_endian', [False, True])
def test_values_of_images(
    values: np.ndarray, encoding: str, padding: int, big_endian: bool
) -> None:
    stored = values.astype(values.dtype.newbyteorder('>' if big_endian else '<'))
    rows = [row.tobytes() + bytes(padding) for row in stored]
    image = SimpleNamespace(
        height=2,
        width=3,
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=len(rows[0]),
        data=np.frombuffer(b''.join(rows), np.uint8),
    )
    result = image_values(image)
    assert result.dtype == values.dtype
    np.testing.assert_array_equal(result, values)
    image.data = image.data[: 2 * image.step - padding - 1]
    with pytest.raises(HydranetError, match='bytes of data and has'):
        image_values(image)


def test_images_of_other_encodings_are_refused() -> None:
    image = image_message(np.zeros((2, 2, 3), np.uint8), 0)
    with pytest.raises(HydranetError, match="'rgb8'"):
        image_values(image)


def test_the_last_diagnostics_of_a_node_count(tmp_path: Path) -> None:
    types, array_type = STORE.types, 'diagnostic_msgs/msg/DiagnosticArray'
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/diagnostics', array_type)
        for time, (name, processed) in enumerate(
            [('perception_node', '3'), ('perception_node', '7'), ('battery', '11')]
        ):
            pair = types['diagnostic_msgs/msg/KeyValue'](key='processed', value=processed)
            status = types['diagnostic_msgs/msg/DiagnosticStatus'](
                level=0, name=f'{name}: state', message='', hardware_id='', values=[pair]
            )
            header = image_message(np.zeros((1, 1, 3), np.uint8), time).header
            bag.write_message(
                '/diagnostics', time, types[array_type](header=header, status=[status])
            )
    with BagReader(tmp_path / 'bag') as bag:
        assert last_diagnostics(bag, 'perception_node') == {'processed': '7'}
        assert last_diagnostics(bag, 'lidar_node') == {}


@given(
    rate=st.floats(0.01, 100),
    first=st.integers(0, 2**60),
    later=st.integers(0, 3600 * SECOND),
)
def test_time_is_played_at_the_rate(rate: float, first: int, later: int) -> None:
    timeline = Timeline(first, rate)
    due = timeline.due(first + later)
    assert due == pytest.approx(later / SECOND / rate)
    assert timeline.recorded(due) == pytest.approx(first + later, abs=2000)


@pytest.mark.parametrize('rate', [0.0, -1.0, float('nan')])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(HydranetError, match='rate of a replay'):
        Timeline(0, rate)


def test_messages_that_shared_a_stamp_still_do() -> None:
    restamper = Restamper()
    given_stamps = [
        read_stamp(restamper.restamp(message('a', stamp).data, played))
        for stamp, played in ((5, 1000), (5, 1001), (6, 1040), (5, 1050))
    ]
    assert given_stamps == [1000, 1000, 1040, 1000]
