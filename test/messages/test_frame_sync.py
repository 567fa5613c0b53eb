# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Messages are joined by stamp, and compressed annotations are read."""

from __future__ import annotations

from collections.abc import Callable
import struct
from types import SimpleNamespace
from typing import Any

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.bags.bag_files import BagMessage
from hydranet_ros.bags.message_types import camera_info_message, CAMERA_INFO_TYPE, new_typestore
from hydranet_ros.bags.playback import belongings_first
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.annotations import read_depth, read_labels, read_normals
from hydranet_ros.messages.frame_sync import Completeness, FrameStream
from hydranet_ros.messages.stamps import read_stamp

STORE = new_typestore()


def test_a_frame_is_complete_once_for_each_time_that_all_its_parts_come() -> None:
    frames = Completeness(('image', 'depth'))
    assert not frames.add('image', 1)
    assert not frames.add('image', 1)
    assert not frames.add('depth', 2)
    assert not frames.add('lidar', 1)
    assert frames.add('depth', 1)
    assert not frames.add('depth', 1)
    assert frames.add('image', 1)


def test_incomplete_frames_are_forgotten() -> None:
    frames = Completeness(('image', 'depth'))
    assert not any(frames.add('image', stamp) for stamp in range(1000))
    assert not frames.add('depth', 0)
    assert frames.add('depth', 999)


class TestFrameStream:
    """Frames are returned once and in order, for any order between topics."""

    @settings(deadline=None)
    @given(st.data())
    def test_any_interleaving(self, data: st.DataObject) -> None:
        stamps = {
            part: sorted(data.draw(st.sets(st.integers(0, 30), max_size=20))) for part in 'abc'
        }
        queues = {part: list(values) for part, values in stamps.items()}
        stream, frames = FrameStream('abc', window=100), []
        while any(queues.values()):
            part = data.draw(st.sampled_from([p for p, q in queues.items() if q]))
            frames += stream.put(part, queues[part].pop(0), part)
        frames += stream.flush()
        assert [f.stamp for f in frames] == sorted(set().union(*map(set, stamps.values())))
        for frame in frames:
            assert set(frame.parts) == {p for p, values in stamps.items() if frame.stamp in values}
        assert stream.late == 0

    @settings(deadline=None)
    @given(st.integers(1, 6), st.integers(1, 4), st.data())
    def test_loops(self, length: int, laps: int, data: st.DataObject) -> None:
        """The second topic lags by up to a few frames, also across the jump."""
        stream, frames = FrameStream('ab', laps=True), []
        images = [(lap, s) for lap in range(laps) for s in range(length)]
        lag = data.draw(st.integers(0, min(2, length - 1)))
        for index in range(len(images) + lag):
            if index < len(images):
                frames += stream.put('a', images[index][1], index)
            if index >= lag:
                frames += stream.put('b', images[index - lag][1], index - lag)
        frames += stream.flush()
        if length > 1:
            assert [(f.lap, f.stamp) for f in frames] == images
            assert all(f.parts == {'a': i, 'b': i} for i, f in enumerate(frames))

    def test_a_sparse_topic_follows_the_others_around(self) -> None:
        stream, frames = FrameStream('ab', laps=True), []
        for lap in range(3):
            for s in range(10, 20):
                frames += stream.put('a', s, lap)
                if s == 15:
                    frames += stream.put('b', s, lap)
        frames += stream.flush()
        both = [f for f in frames if 'b' in f.parts]
        assert [(f.lap, f.parts['a'], f.parts['b']) for f in both] == [(i, i, i) for i in range(3)]

    def test_memory_is_bounded_and_late_parts_counted(self) -> None:
        stream = FrameStream('ab', window=4)
        frames = [f for s in range(100) for f in stream.put('a', s, s)]
        assert [f.stamp for f in frames] == list(range(96))
        assert list(stream.put('b', 5, 5)) == []
        assert list(stream.put('a', 99, 99)) == []
        assert stream.late == 2


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(['/i', '/c', '/t']), max_size=12), st.data())
def test_belongings_come_first(topics: list[str], data: st.DataObject) -> None:
    template = camera_info_message(1, 1, 1.0, 0)
    with_stamp = {}
    messages = []
    for index, topic in enumerate(topics):
        s = data.draw(st.integers(0, 3))
        if s not in with_stamp:
            template.header.stamp.sec = s
            with_stamp[s] = bytes(STORE.serialize_cdr(template, CAMERA_INFO_TYPE))
        messages.append(BagMessage(topic, CAMERA_INFO_TYPE, index, with_stamp[s]))
    ordered = list(belongings_first(messages, '/i', {'/i', '/c'}))
    assert sorted(m.time for m in ordered) == list(range(len(topics)))
    images = [m.time for m in messages if m.topic == '/i']
    assert [m.time for m in ordered if m.topic == '/i'] == images
    place = {m.time: k for k, m in enumerate(ordered)}
    for image, following in zip(images, [*images[1:], len(topics)], strict=False):
        for m in messages[slice(image + 1, following)]:
            own = m.topic == '/c' and read_stamp(m.data) == read_stamp(messages[image].data)
            assert (place[m.time] < place[image]) == own


def compressed(form: str, data: bytes) -> SimpleNamespace:
    return SimpleNamespace(format=form, data=np.frombuffer(data, np.uint8))


def png(values: np.ndarray) -> bytes:
    return bytes(cv2.imencode('.png', values)[1].tobytes())


class TestAnnotationMessages:
    """Compressed and raw ground truth in REP 118's units."""

    def test_compressed_labels(self) -> None:
        ids = np.arange(12, dtype=np.uint8).reshape(3, 4)
        found = read_labels(compressed('mono8; png compressed ', png(ids)))
        np.testing.assert_array_equal(found, ids)

    @pytest.mark.parametrize(
        ('read', 'message', 'sentence'),
        [
            (read_labels, compressed('mono8; jpeg compressed ', b'\xff\xd8'), 'not PNG'),
            (read_labels, compressed('x; png', png(np.zeros((2, 2, 3), np.uint8))), 'one channel'),
            (read_labels, compressed('x; png', b'\x89PNG'), 'cannot be decoded'),
            (read_depth, compressed('16UC1; compressedDepth', b'abc'), 'not complete'),
            (read_depth, compressed('16UC1; compressedDepth rvl', b'a' * 99), 'PNG or raw'),
            (read_depth, compressed('mono8; png', png(np.zeros((2, 2), np.uint8))), 'REP 118'),
            (read_normals, compressed('x', b''), '32FC3'),
        ],
    )
    def test_faults(self, read: Callable[..., Any], message: Any, sentence: str) -> None:
        with pytest.raises(HydranetError, match=sentence):
            read(message)

    def test_millimetres_of_compressed_depth(self) -> None:
        steps = np.array([[0, 1500], [65535, 1]], np.uint16)
        header = struct.pack('<iff', 0, 0.0, 0.0)
        found = read_depth(compressed('16UC1; compressedDepth png', header + png(steps)))
        np.testing.assert_allclose(found, [[np.nan, 1.5], [65.535, 0.001]], rtol=1e-6)

    def test_inverse_depth_of_compressed_depth(self) -> None:
        """Quantise as compressed_depth_image_transport: a / depth + b."""
        depth = np.array([[1.0, 2.0], [5.0, np.nan]], np.float32)
        slope, offset = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
        steps = np.nan_to_num(slope / depth + offset, nan=0).astype(np.uint16)
        header = struct.pack('<iff', 0, slope, offset)
        found = read_depth(compressed('32FC1; compressedDepth png', header + png(steps)))
        np.testing.assert_allclose(found, depth, rtol=2e-3)
