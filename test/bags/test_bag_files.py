# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Bags and the stamps of serialised messages: what is written is read back, faults are named."""

from __future__ import annotations

from pathlib import Path
import shutil
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.bags.bag_files import BagReader, BagWriter, STORAGES
from hydranet_ros.bags.message_types import (
    camera_info_message,
    CAMERA_INFO_TYPE,
    COMPRESSED_IMAGE_TYPE,
    image_message,
    IMAGE_TYPE,
    new_typestore,
)
from hydranet_ros.bags.recovery import open_damaged_bag
from hydranet_ros.bags.topics import check_transport, choose_image_topic, find_topics
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp, replace_stamp

START = 1_700_000_000 * NANOSECONDS
PERIOD = 40_000_000
TIMES = st.integers(0, (2**31 - 1) * NANOSECONDS + NANOSECONDS - 1)
CUSTOM_TYPE = 'robot_msgs/msg/Gripper'


def write_images(path: Path, storage: str = 'mcap', count: int = 5) -> list[np.ndarray]:
    """Write a small bag of random images with their camera information."""
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (6, 10, 3), np.uint8) for _ in range(count)]
    with BagWriter(path, storage) as bag:
        bag.add_topic('/camera/image', IMAGE_TYPE)
        bag.add_topic('/camera/camera_info', CAMERA_INFO_TYPE)
        for index, image in enumerate(images):
            time = START + index * PERIOD
            info = camera_info_message(10, 6, 123.5, time)
            bag.write_message('/camera/image', time, image_message(image, time))
            bag.write_message('/camera/camera_info', time + 1, info)
    return images


@pytest.fixture(scope='module')
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return an intact bag of each storage."""
    folder = tmp_path_factory.mktemp('bags')
    for storage in STORAGES:
        write_images(folder / storage / 'bag', storage)
    return {storage: folder / storage / 'bag' for storage in STORAGES}


@pytest.mark.parametrize('storage', STORAGES)
def test_written_bag_reads_back(tmp_path: Path, storage: str) -> None:
    images = write_images(tmp_path / 'bag', storage)
    with BagReader(tmp_path / 'bag') as bag:
        assert bag.start == START
        assert bag.duration == pytest.approx((4 * PERIOD + 1) / NANOSECONDS, abs=1e-9)
        assert {name: (t.type, t.count) for name, t in bag.topics.items()} == {
            '/camera/image': (IMAGE_TYPE, 5),
            '/camera/camera_info': (CAMERA_INFO_TYPE, 5),
        }
        messages = list(bag.messages())
        assert [m.time for m in messages] == sorted(m.time for m in messages)
        assert [m.topic.rsplit('/', 1)[-1] for m in messages] == ['image', 'camera_info'] * 5
        for index, message in enumerate(bag.messages(['/camera/image'])):
            decoded = bag.decode(message)
            assert (decoded.width, decoded.height, decoded.step) == (10, 6, 30)
            assert decoded.encoding == 'rgb8'
            assert read_stamp(message.data) == message.time == START + index * PERIOD
            np.testing.assert_array_equal(decoded.data.reshape(6, 10, 3), images[index])
        info = bag.decode(next(bag.messages(['/camera/camera_info'])))
        assert info.k[0] == info.k[4] == info.p[0] == 123.5
        assert (info.k[2], info.k[5]) == (4.5, 2.5)


@pytest.mark.parametrize('storage', STORAGES)
def test_one_file_of_a_bag_is_enough(tmp_path: Path, storage: str) -> None:
    write_images(tmp_path / 'bag', storage)
    (file,) = (p for p in (tmp_path / 'bag').iterdir() if p.name != 'metadata.yaml')
    with BagReader(file) as bag:
        assert bag.topics['/camera/image'].count == 5


def test_reading_may_start_later(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag')
    with BagReader(tmp_path / 'bag') as bag:
        times = [m.time for m in bag.messages(['/camera/image'], start=START + 2 * PERIOD)]
    assert times == [START + index * PERIOD for index in (2, 3, 4)]


@pytest.mark.parametrize('storage', STORAGES)
def test_memory_does_not_grow_with_the_bag(tmp_path: Path, storage: str) -> None:
    image = np.zeros((200, 500, 3), np.uint8)
    with BagWriter(tmp_path / 'bag', storage) as bag:
        bag.add_topic('/image', IMAGE_TYPE)
        for index in range(60):
            bag.write_message('/image', START + index, image_message(image, START + index))
    with BagReader(tmp_path / 'bag') as bag:
        tracemalloc.start()
        for message in bag.messages():
            assert len(message.data) > image.nbytes
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 * image.nbytes


@pytest.mark.parametrize('storage', STORAGES)
def test_types_beyond_ros_travel_with_their_definition(tmp_path: Path, storage: str) -> None:
    definition = 'std_msgs/Header header\nfloat32 opening'
    path = tmp_path / 'bag'
    with BagWriter(path, storage) as bag:
        with pytest.raises(HydranetError, match='robot_msgs/msg/Gripper is unknown'):
            bag.add_topic('/gripper', CUSTOM_TYPE)
        bag.add_topic('/gripper', CUSTOM_TYPE, definition=definition, latched=True)
        # Encapsulation, stamp, an empty frame_id with its padding, 1.0.
        stamp, frame_id = bytes(8), b'\x01\x00\x00\x00' + bytes(4)
        data = b'\x00\x01\x00\x00' + stamp + frame_id + b'\x00\x00\x80\x3f'
        bag.write('/gripper', START, data)
    with BagReader(path) as bag:
        assert bag.topics['/gripper'].latched
        assert bag.decode(next(bag.messages())).opening == 1.0
        # What one bag defines another one can take over, dependencies included.
        assert 'float32 opening' in bag.topics['/gripper'].definition


def test_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(HydranetError, match=r'There is no bag .*nowhere'):
        BagReader(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(HydranetError, match=r'no metadata\.yaml'):
        BagReader(tmp_path / 'empty')
    (tmp_path / 'notes.txt').touch()
    with pytest.raises(HydranetError, match='is not a bag'):
        BagReader(tmp_path / 'notes.txt')
    write_images(tmp_path / 'bag')
    with pytest.raises(HydranetError, match='exists already'):
        BagWriter(tmp_path / 'bag')
    with pytest.raises(HydranetError, match="no bag storage 'tape'"):
        BagWriter(tmp_path / 'other', 'tape')
    with pytest.raises(HydranetError, match='cannot be written'):
        BagWriter(tmp_path / 'notes.txt' / 'bag')
    with BagReader(tmp_path / 'bag') as bag, pytest.raises(HydranetError, match='no topic /lidar'):
        next(bag.messages(['/lidar']))


@pytest.mark.parametrize('kept', [0, 7, 40, 1500, -40])
def test_a_cut_off_file_gives_one_sentence(tmp_path: Path, kept: int) -> None:
    write_images(tmp_path / 'bag')
    file = tmp_path / 'bag' / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:kept])
    for path in (file, file.parent):
        with pytest.raises(HydranetError, match='cannot be read'):
            BagReader(path)


@pytest.mark.parametrize('storage', STORAGES)
@settings(max_examples=40, deadline=None)
@given(
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=20),
    kept=st.sampled_from((1.0, 1.0, 0.99, 0.5)),
)
def test_damaged_bytes_give_one_sentence(
    bags: dict[str, Path],
    storage: str,
    damage: list[tuple[float, int]],
    kept: float,
) -> None:
    folder = bags[storage].parent / 'damaged'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in bags[storage].iterdir():
        content = bytearray(file.read_bytes())
        for place, value in damage:
            content[int(place * (len(content) - 1))] = value
        size = round(kept * len(content))
        (folder / file.name).write_bytes(content[:size])
    try:
        with BagReader(folder) as bag:
            for message in bag.messages():
                bag.decode(message)
    except HydranetError as error:
        assert str(folder) in str(error)


def test_a_damaged_message_gives_one_sentence(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', IMAGE_TYPE)
        bag.write('/image', START, b'\x00\x01\x00\x00\x01\x02')
    with BagReader(tmp_path / 'bag') as bag:
        message = next(bag.messages())
        with pytest.raises(HydranetError, match=r'/image .* is damaged'):
            bag.decode(message)
        with pytest.raises(HydranetError, match='too short'):
            read_stamp(message.data)


def test_an_empty_bag_is_read(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', IMAGE_TYPE)
    with BagReader(tmp_path / 'bag') as bag:
        assert (bag.start, bag.duration, list(bag.messages())) == (0, 0.0, [])


@given(before=TIMES, after=TIMES, little_endian=st.booleans())
def test_only_the_stamp_is_replaced(before: int, after: int, little_endian: bool) -> None:
    store = new_typestore()
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)

    def serialise(time: int) -> bytes:
        message = image_message(image, time)
        return bytes(store.serialize_cdr(message, IMAGE_TYPE, little_endian=little_endian))

    assert read_stamp(serialise(before)) == before
    assert replace_stamp(serialise(before), after) == serialise(after)


def test_topics_of_a_camera(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'one') as bag:
        bag.add_topic('/a/image', IMAGE_TYPE)
        bag.add_topic('/b/image', IMAGE_TYPE)  # announced, never published
        bag.write_message('/a/image', START, image_message(np.zeros((1, 1, 3), np.uint8), START))
    with BagReader(tmp_path / 'one') as bag:
        assert choose_image_topic(bag) == choose_image_topic(bag, '/a/image') == '/a/image'
        with pytest.raises(HydranetError, match='no images on /b/image; it has them on /a/image'):
            choose_image_topic(bag, '/b/image')
    with BagWriter(tmp_path / 'none') as bag:
        bag.add_topic('/camera_info', CAMERA_INFO_TYPE)
    with (
        BagReader(tmp_path / 'none') as bag,
        pytest.raises(HydranetError, match='has no images; it has /camera_info'),
    ):
        choose_image_topic(bag)
    with BagWriter(tmp_path / 'odd') as bag:
        bag.add_topic('/a/image', COMPRESSED_IMAGE_TYPE)
        bag.write('/a/image', START, bytes(20))
    with BagReader(tmp_path / 'odd') as bag:
        assert choose_image_topic(bag) == '/a/image'  # the type decides, not the name
        with pytest.raises(HydranetError, match='must end in /compressed'):
            check_transport(bag, '/a/image')


def test_a_missing_file_of_a_bag_is_named(tmp_path: Path) -> None:
    write_images(tmp_path / 'bag')
    metadata = tmp_path / 'bag' / 'metadata.yaml'
    whole = metadata.read_text()
    listed = '  relative_file_paths:\n  - bag.mcap\n'
    assert listed in whole
    metadata.write_text(whole.replace(listed, f'{listed}  - bag_1.mcap\n'))
    for opened in (BagReader, lambda path: open_damaged_bag(path).__enter__()):
        with pytest.raises(HydranetError, match=r'the file bag_1\.mcap is missing'):
            opened(tmp_path / 'bag')


def test_channels_of_other_systems_are_skipped(tmp_path: Path) -> None:
    """Foxglove and others add JSON channels to MCAP files."""
    write_images(tmp_path / 'bag')
    file = tmp_path / 'bag' / 'bag.mcap'
    with BagReader(file) as bag:
        expected = [(message.topic, message.data) for message in bag.messages()]
    mixed = tmp_path / 'mixed.mcap'
    mixed.write_bytes(with_json_channel(file.read_bytes()))
    with BagReader(mixed) as bag:
        assert set(bag.topics) == {'/camera/image', '/camera/camera_info'}
        assert [(message.topic, message.data) for message in bag.messages()] == expected


def with_json_channel(mcap: bytes) -> bytes:
    """Insert a schema, a channel and a message in JSON before all records, and drop the index."""

    def record(kind: int, content: bytes) -> bytes:
        return bytes([kind]) + len(content).to_bytes(8, 'little') + content

    def text(value: str) -> bytes:
        return len(value).to_bytes(4, 'little') + value.encode()

    number = (99).to_bytes(2, 'little')
    schema = record(3, number + text('State') + text('jsonschema') + text('{"type": "object"}'))
    channel = record(4, 2 * number + text('/state') + text('json') + text(''))
    time = (START - 1).to_bytes(8, 'little')
    message = record(5, number + bytes(4) + time + time + b'{}')
    start = 8 + 9 + int.from_bytes(mcap[9:17], 'little')  # magic and header
    end = start
    while mcap[end] not in (2, 15):  # footer, end of data
        end += 9 + int.from_bytes(mcap[end + 1 : end + 9], 'little')
    records = schema + channel + message + mcap[start:end] + record(15, bytes(4))
    return mcap[:start] + records + record(2, bytes(20)) + mcap[:8]


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    bag = BagWriter(tmp_path / 'bag')
    bag.add_topic('/image', IMAGE_TYPE)
    # The same fault as on a full disk, on a file that is always full.
    bag._writer.storage.bio.close()
    with Path('/dev/full').open('wb', buffering=0) as full:
        bag._writer.storage.bio = full
        with pytest.raises(HydranetError, match=r'bag .* cannot be written: .*[Nn]o space'):
            for index in range(3):
                image = image_message(np.zeros((1000, 1000, 3), np.uint8), index)
                bag.write_message('/image', index, image)


def test_several_cameras_must_be_named(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'two') as bag:
        for name in ('/left/image', '/right/image'):
            bag.add_topic(name, IMAGE_TYPE)
            bag.write_message(name, START, image_message(np.zeros((1, 1, 3), np.uint8), START))
    with BagReader(tmp_path / 'two') as bag:
        for find in (choose_image_topic, find_topics):
            with pytest.raises(HydranetError, match=r'2 topics with images .*with --image'):
                find(bag)


def test_depth_of_another_size_is_not_the_truth(tmp_path: Path) -> None:
    """Depth that is not registered to the images would be compared with other pixels."""
    with BagWriter(tmp_path / 'unregistered') as bag:
        for name, pixels, encoding in (
            ('/camera/color/image_raw', np.zeros((4, 6, 3), np.uint8), 'rgb8'),
            ('/camera/depth/image_rect_raw', np.ones((4, 8), np.uint16), '16UC1'),
        ):
            bag.add_topic(name, IMAGE_TYPE)
            bag.write_message(name, START, image_message(pixels, START, encoding=encoding))
    with BagReader(tmp_path / 'unregistered') as bag:
        topics = find_topics(bag)
    assert topics.image == '/camera/color/image_raw' and topics.truths == {}


@pytest.mark.parametrize(
    ('depth_topic', 'frame_id'),
    [('/camera/depth/image_raw', 'depth_optical'), ('/robot/depth', 'color_optical')],
)
def test_unregistered_depth_and_predictions_are_not_the_truth(
    tmp_path: Path, depth_topic: str, frame_id: str
) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for name, pixels, encoding, frame in (
            ('/camera/color/image_raw', np.zeros((4, 6, 3), np.uint8), 'rgb8', 'color_optical'),
            (depth_topic, np.ones((4, 6), np.uint16), '16UC1', frame_id),
        ):
            bag.add_topic(name, IMAGE_TYPE)
            message = image_message(pixels, START, encoding=encoding, frame_id=frame)
            bag.write_message(name, START, message)
    with BagReader(tmp_path / 'bag') as bag:
        assert find_topics(bag).truths == {}
        named = find_topics(bag, truths={'depth': depth_topic})
    assert named.truths == {'depth': depth_topic}


def test_the_topic_of_compressed_images_may_be_named_without_its_suffix(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/camera/image_raw/compressed', COMPRESSED_IMAGE_TYPE)
        bag.write('/camera/image_raw/compressed', START, bytes(20))
    with BagReader(tmp_path / 'bag') as bag:
        found = find_topics(bag, image='/camera/image_raw').image
    assert found == '/camera/image_raw/compressed'


def test_a_camera_of_16_bits_is_a_camera(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'thermal') as bag:
        bag.add_topic('/thermal/image', IMAGE_TYPE)
        heat = image_message(np.ones((4, 8), np.uint16), START, encoding='16UC1')
        bag.write_message('/thermal/image', START, heat)
    with BagReader(tmp_path / 'thermal') as bag:
        assert find_topics(bag).image == '/thermal/image'
