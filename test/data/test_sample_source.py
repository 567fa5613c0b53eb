# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Samples of folders, images and videos, and what is refused in the same words as in training."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from training_data import write_image
import yaml

from hydranet_ros.data.media import VideoWriter
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.data.sample_source import open_samples, Selection
from hydranet_ros.errors import HydranetError

SIZE = (48, 64)
MATRIX = np.array([[50.0, 0.5, 32.0], [0, 51.0, 24.0], [0, 0, 1]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write three images; only the first has all that a folder can hold."""
    for name in ('b', 'a', 'c'):
        write_image(tmp_path / 'image' / f'{name}.png', np.zeros((*SIZE, 3), np.uint8))
    depth = np.full(SIZE, 2500, np.uint16)
    depth[0, :3] = 0, 1000, 65535
    write_image(tmp_path / 'depth' / 'a.png', depth)
    write_image(tmp_path / 'segmentation' / 'a.png', np.full(SIZE, 7, np.uint8))
    (tmp_path / 'pose').mkdir()
    np.savetxt(tmp_path / 'pose' / 'a.txt', np.eye(4))
    np.savetxt(tmp_path / 'camera-intrinsics.txt', MATRIX)
    return tmp_path


def test_samples_of_a_folder(folder: Path) -> None:
    source = open_samples(str(folder))
    first, second, third = source.samples()
    assert source.count == 3
    assert [Path(s.name).name for s in (first, second, third)] == ['a.png', 'b.png', 'c.png']
    np.testing.assert_array_equal(first.depth[0, :4], np.float32([np.nan, 1.0, np.nan, 2.5]))
    assert (first.segmentation == 7).all() and first.label_set is None
    np.testing.assert_array_equal(first.camera.matrix, MATRIX)
    np.testing.assert_array_equal(first.pose, np.eye(4))
    assert second.depth is None and second.segmentation is None and second.pose is None
    assert second.fx == 50.0


def test_depth_unit(folder: Path) -> None:
    sample = next(open_samples(str(folder), depth_unit=1 / 256).samples())
    assert sample.depth[0, 1] == 1000 / 256


def test_selections(folder: Path) -> None:
    for selection, names in (
        (Selection(2), ['a', 'c']),
        (Selection(1, 1, first=1), ['b']),
        (Selection(2, 1), ['a']),
        (Selection(first=5), []),
    ):
        chosen = open_samples(str(folder), selection)
        assert [Path(s.name).stem for s in chosen.samples()] == names
        assert chosen.count == len(names)


def test_a_selection_asks_for_nothing_after_its_last() -> None:
    items = iter(range(10))
    assert list(Selection(3, 2, first=1).of(items)) == [1, 4]
    assert next(items) == 5


def test_a_folder_and_its_dataset_file_give_the_same(folder: Path) -> None:
    config = folder / 'mine.yaml'
    content = {
        'root': str(folder),
        'splits': {'all': {}},
        'segmentation': {'label_set': 'camvid11'},
        'depth': {'units_per_metre': 1000, 'invalid': [0, 65535]},
    }
    config.write_text(yaml.safe_dump(content))
    ours = next(open_samples(str(folder)).samples())
    theirs = load_dataset(config, 'all').load(0)
    for name in ('image', 'segmentation', 'depth', 'pose'):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(ours.camera.matrix, theirs.camera.matrix)
    assert ours.name == theirs.name


def test_suffixes_in_any_case(folder: Path) -> None:
    for part in ('image', 'depth', 'segmentation'):
        (folder / part / 'a.png').rename(folder / part / 'a.PNG')
    (folder / 'pose' / 'a.txt').rename(folder / 'pose' / 'a.TXT')
    sample = next(open_samples(str(folder)).samples())
    for found in (sample.depth, sample.segmentation, sample.pose):
        assert found is not None


def turned_jpeg(orientation: int) -> bytes:
    """Return a JPEG of 64×48 whose EXIF data tell its orientation."""
    data = cv2.imencode('.jpg', np.zeros((*SIZE, 3), np.uint8))[1].tobytes()
    tiff = b'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0' % orientation
    exif = b'Exif\0\0' + tiff
    return data[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + data[2:]


def test_exif_orientation_is_applied_and_annotations_must_fit(folder: Path) -> None:
    (folder / 'image' / 'a.png').unlink()
    (folder / 'image' / 'a.jpg').write_bytes(turned_jpeg(6))
    with pytest.raises(HydranetError, match=r'a\.jpg is 64x48 and its image is 48x64'):
        next(open_samples(str(folder)).samples())
    for part in ('depth', 'segmentation'):
        path = folder / part / 'a.png'
        upright = cv2.rotate(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.ROTATE_90_CLOCKWISE)
        cv2.imwrite(str(path), upright)
    sample = next(open_samples(str(folder)).samples())
    assert sample.image.shape == (64, 48, 3)
    # Images alone are turned alike.
    (alone,) = open_samples(str(folder / 'image' / 'a.jpg')).samples()
    np.testing.assert_array_equal(alone.image, sample.image)


@pytest.mark.parametrize(
    ('part', 'array', 'sentence'),
    [
        ('depth', np.zeros((40, 64), np.uint16), r'The depth of .*a\.png is 64x40 .* same size'),
        ('segmentation', np.zeros((40, 64), np.uint8), r'The segmentation of .* is 64x40'),
        ('depth', np.zeros(SIZE, np.uint8), r'a\.png is uint8 .* depth needs one channel of 16'),
        ('segmentation', np.zeros((*SIZE, 3), np.uint8), '3 channels'),
    ],
)
def test_unsuitable_files_are_named(
    folder: Path, part: str, array: np.ndarray, sentence: str
) -> None:
    write_image(folder / part / 'a.png', array)
    with pytest.raises(HydranetError, match=sentence):
        next(open_samples(str(folder)).samples())


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / 'image').mkdir()
    with pytest.raises(HydranetError, match='image holds no image'):
        open_samples(str(tmp_path))


def test_a_malformed_pose_is_named(folder: Path) -> None:
    (folder / 'pose' / 'a.txt').write_text('1 2 3')
    with pytest.raises(HydranetError, match=r'a\.txt must hold 4'):
        next(open_samples(str(folder)).samples())
    (folder / 'pose' / 'a.txt').write_text('north')
    with pytest.raises(HydranetError, match=r'a\.txt cannot be read as a matrix'):
        next(open_samples(str(folder)).samples())


def test_images_alone_are_samples_too(tmp_path):
    for index in range(5):
        cv2.imwrite(str(tmp_path / f'{index}.png'), np.zeros((48, 64, 3), np.uint8))
    source = open_samples(str(tmp_path), Selection(2, 2), focal_length=70.0)
    samples = list(source.samples())
    assert [s.name for s in samples] == ['0', '2'] and source.count == 2
    assert samples[0].camera.matrix[0].tolist() == [70.0, 0.0, 31.5]
    assert next(open_samples(str(tmp_path)).samples()).camera is None


def test_a_video_gives_times(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / 'film.mp4', 10) as video:
        for _ in range(6):
            video.write(np.zeros((*SIZE, 3), np.uint8))
    source = open_samples(str(tmp_path / 'film.mp4'), Selection(2, first=1))
    np.testing.assert_allclose([s.time for s in source.samples()], [0.1, 0.3, 0.5])
    assert source.count == 3
