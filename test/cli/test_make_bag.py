# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet make-bag``: extracting a bag returns the samples and stamps written to it."""

from __future__ import annotations

from pathlib import Path

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.bags.bag_files import BagReader, BagWriter, STORAGES
from hydranet_ros.bags.message_types import image_message, IMAGE_TYPE
from hydranet_ros.bags.topics import choose_image_topic
from hydranet_ros.camera.poses import pose_matrix, quaternion
from hydranet_ros.cli.main import main
from hydranet_ros.data.sample_source import open_samples
from hydranet_ros.messages.annotations import image_values
from hydranet_ros.messages.images import compressed_to_rgb
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp

HEIGHT, WIDTH, COUNT = 24, 36, 4
COMPONENTS = st.floats(-1, 1).filter(lambda x: abs(x) > 1e-3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of samples; the second has no labels, the third no pose."""
    generator = np.random.default_rng(0)
    root = tmp_path / 'samples'
    for name in ('image', 'depth', 'segmentation', 'pose'):
        (root / name).mkdir(parents=True)
    for index in range(COUNT):
        image = generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        depth = generator.integers(0, 9000, (HEIGHT, WIDTH)).astype(np.uint16)
        cv2.imwrite(str(root / 'image' / f'{index}.png'), image)
        cv2.imwrite(str(root / 'depth' / f'{index}.png'), depth)
        if index != 1:
            labels = generator.integers(0, 11, (HEIGHT, WIDTH), np.uint8)
            cv2.imwrite(str(root / 'segmentation' / f'{index}.png'), labels)
        if index != 2:
            pose = pose_matrix(generator.normal(size=3), generator.normal(size=4))
            np.savetxt(root / 'pose' / f'{index}.txt', pose)
    np.savetxt(root / 'camera-intrinsics.txt', [[50, 0, 17], [0, 51, 12], [0, 0, 1]])
    return root


@pytest.mark.parametrize(('storage', 'form'), list(zip(STORAGES, ('raw', 'png'), strict=True)))
def test_round_trip(folder: Path, tmp_path: Path, storage: str, form: str) -> None:
    bag, back = str(tmp_path / 'bag'), str(tmp_path / 'back')
    assert main(['make-bag', str(folder), bag, '--storage', storage, '--format', form]) == 0
    assert main(['make-bag', '--extract', bag, back]) == 0
    pairs = zip(open_samples(str(folder)).samples(), open_samples(back).samples(), strict=True)
    for index, (before, after) in enumerate(pairs):
        np.testing.assert_array_equal(before.image, after.image)
        np.testing.assert_array_equal(before.depth, after.depth)
        assert (after.segmentation is None) == (index == 1)
        if before.segmentation is not None:
            np.testing.assert_array_equal(before.segmentation, after.segmentation)
        assert before.camera is not None
        assert after.camera is not None
        np.testing.assert_allclose(before.camera.matrix, after.camera.matrix)
        if before.pose is not None:
            np.testing.assert_allclose(before.pose, after.pose, atol=1e-6)


def test_all_of_a_frame_has_its_stamp(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / 'bag'
    options = ['--rate', '20', '--every', '2', '--image', '/front/image_raw', '--frame-id', 'eye']
    assert main(['make-bag', str(folder), str(path), *options]) == 0
    with BagReader(path) as bag:
        assert {name: topic.count for name, topic in bag.topics.items()} == {
            '/front/image_raw': 2,
            '/front/camera_info': 2,
            '/ground_truth/segmentation': 2,
            '/ground_truth/depth': 2,
            '/tf': 1,
        }
        for topic in bag.topics:
            for index, message in enumerate(bag.messages((topic,))):
                assert message.time == NANOSECONDS + index * NANOSECONDS // 20
                decoded = bag.decode(message)
                if topic == '/tf':
                    assert decoded.transforms[0].child_frame_id == 'eye'
                    continue
                assert read_stamp(message.data) == message.time
                assert decoded.header.frame_id == 'eye'
        depth = image_values(bag.decode(next(bag.messages(('/ground_truth/depth',)))))
    assert np.isnan(depth).sum() == (open_first_depth(folder) == 0).sum()


def test_the_only_camera_of_a_bag_is_extracted(folder: Path, tmp_path: Path) -> None:
    bag, back = str(tmp_path / 'bag'), tmp_path / 'back'
    assert main(['make-bag', str(folder), bag, '--image', '/front/image_raw']) == 0
    assert main(['make-bag', '--extract', bag, str(back)]) == 0
    assert len(list((back / 'image').iterdir())) == len(list((back / 'depth').iterdir())) == COUNT


def test_depth_that_does_not_fit_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, late, width in (('late', NANOSECONDS // 10, 8), ('unregistered', 0, 9)):
        with BagWriter(tmp_path / name) as bag:
            for topic, pixels, encoding, time in (
                ('/color', np.zeros((4, 8, 3), np.uint8), 'rgb8', NANOSECONDS),
                ('/depth_raw', np.ones((4, width), np.uint16), '16UC1', NANOSECONDS + late),
            ):
                bag.add_topic(topic, IMAGE_TYPE)
                message = image_message(pixels, time, encoding=encoding)
                bag.write_message(topic, time, message)
    extract = ['make-bag', '--extract', str(tmp_path / 'late'), str(tmp_path / 'a')]
    assert main(extract) == 1
    assert 'No message on /depth_raw is close enough in time' in capsys.readouterr().err
    assert main([*extract, '--tolerance', '0.2']) == 0
    assert '1 with depth' in capsys.readouterr().out
    assert (
        main(['make-bag', '--extract', str(tmp_path / 'unregistered'), str(tmp_path / 'b')]) == 0
    )
    assert 'also has depth on /depth_raw' in capsys.readouterr().err


def open_first_depth(folder: Path) -> np.ndarray:
    return np.asarray(cv2.imread(str(folder / 'depth' / '0.png'), cv2.IMREAD_UNCHANGED))


def test_jpeg(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / 'bag'
    assert main(['make-bag', str(folder / 'image'), str(path), '--format', 'jpeg']) == 0
    with BagReader(path) as bag:
        topic = choose_image_topic(bag)
        assert topic == '/image/compressed'
        assert set(bag.topics) == {topic}  # images alone have no calibration
        image = compressed_to_rgb(bag.decode(next(bag.messages((topic,)))))
    assert image.shape == (HEIGHT, WIDTH, 3)


def test_dataset_with_labels_to_ignore(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / 'mine.yaml'
    config.write_text(
        f'root: {folder}\nsplits: {{val: {{}}}}\nintrinsics: {{fx: 40.0}}\n'
        'segmentation: {label_set: camvid11, ignore: [10]}\n'
        'depth: {units_per_metre: 1000}\n'
    )
    path = tmp_path / 'bag'
    assert main(['make-bag', str(config), str(path), '--max-frames', '1']) == 0
    with BagReader(path) as bag:
        info = bag.decode(next(bag.messages(('/camera_info',))))
        assert info.k[0] == info.p[0] == 40.0
        labels = image_values(bag.decode(next(bag.messages(('/ground_truth/segmentation',)))))
        assert bag.topics['/tf'].count == 1
    assert 10 not in labels
    assert 255 in labels


def test_recorded_times_of_a_drive(folder: Path, tmp_path: Path) -> None:
    lines = [f'2011-09-26 13:02:25.{96 + index}4389445' for index in range(COUNT - 1)]
    (folder / 'timestamps.txt').write_text('\n'.join(lines) + '\n')
    path = tmp_path / 'bag'
    arguments = ['make-bag', str(folder / 'image'), str(path)]
    assert main([*arguments, '--max-frames', '2']) == 0
    with BagReader(path) as bag:
        stamps = [read_stamp(message.data) for message in bag.messages()]
    assert stamps == [1317042145_964389445, 1317042145_974389445]


def test_calibration_of_a_drive(folder: Path, tmp_path: Path) -> None:
    drive = tmp_path / '2011_09_26' / 'drive_0001' / 'image_02'
    drive.mkdir(parents=True)
    (folder / 'image').rename(drive / 'data')
    calibration = 'P_rect_02: 7.2e+02 0 6e+02 4.5e+01 0 7e+02 1.7e+02 0 0 0 1 0\n'
    (tmp_path / '2011_09_26' / 'calib_cam_to_cam.txt').write_text(calibration)
    path = tmp_path / 'bag'
    assert main(['make-bag', str(drive / 'data'), str(path), '--max-frames', '1']) == 0
    with BagReader(path) as bag:
        assert bag.decode(next(bag.messages(('/camera_info',)))).k[0] == 720.0


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        ({'timestamps.txt': 'yesterday'}, 'not a date and time'),
        ({'timestamps.txt': '2011-09-26 13:02:25.96'}, 'fewer than there are images'),
    ],
)
def test_bad_times_are_named(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    sentence: str,
) -> None:
    for name, text in change.items():
        (folder / name).write_text(text)
    assert main(['make-bag', str(folder / 'image'), str(tmp_path / 'bag')]) == 1
    assert sentence in capsys.readouterr().err


def test_faults_are_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = str(tmp_path / 'bag')
    for arguments, sentence in (
        ([str(folder), bag, '--rate', '0'], 'not 0'),
        (['nothing_like_it', bag], 'nothing_like_it'),
        (['camvid', bag, 'data'], 'NAME=VALUE'),
        ([str(folder), str(folder)], 'exists already'),
        (['--extract', str(folder), bag], 'no metadata.yaml'),
    ):
        assert main(['make-bag', *arguments]) == 1
        assert sentence in capsys.readouterr().err


@settings(max_examples=50, deadline=None)
@given(st.tuples(COMPONENTS, COMPONENTS, COMPONENTS, COMPONENTS))
def test_quaternion_inverts_the_matrix(components: tuple[float, ...]) -> None:
    matrix = pose_matrix((0, 0, 0), components)
    again = pose_matrix((0, 0, 0), quaternion(matrix[:3, :3]))
    np.testing.assert_allclose(matrix, again, atol=1e-12)
