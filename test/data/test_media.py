# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of frames and files of results."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
import pytest

from hydranet_ros.data.image_files import read_rgb
from hydranet_ros.data.media import (
    FrameTimes,
    open_source,
    SourceImage,
    VideoWriter,
    write_image,
)
from hydranet_ros.data.sample_source import open_samples
from hydranet_ros.errors import HydranetError


def frames_of(where: Path) -> list[SourceImage]:
    return list(open_source(str(where)).frames())


def picture(height: int = 20, width: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def flat_film(path: Path, colors: list[tuple[int, int, int]], rate: float = 12.5) -> None:
    with VideoWriter(path, rate) as video:
        for color in colors:
            video.write(np.full((48, 64, 3), color, np.uint8))


@pytest.mark.parametrize(
    'image', [picture(), picture()[..., 0], picture()[..., 0].astype(np.uint16) * 257]
)
def test_written_images_read_back(tmp_path: Path, image: np.ndarray) -> None:
    path = tmp_path / 'new' / 'folder' / 'image.png'
    write_image(path, image)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == image.dtype
    np.testing.assert_array_equal(stored[..., ::-1] if image.ndim == 3 else stored, image)
    expected = image if image.ndim == 3 else np.stack([picture()[..., 0]] * 3, -1)
    np.testing.assert_array_equal(read_rgb(path), expected)


def test_single_image(tmp_path: Path) -> None:
    write_image(tmp_path / 'street.png', picture())
    source = open_source(str(tmp_path / 'street.png'))
    (frame,) = source.frames()
    assert (source.name, source.count, source.rate) == ('street', 1, None)
    assert frame.name == 'street'
    np.testing.assert_array_equal(frame.read().image, picture())


def test_folder_is_read_in_order_and_names_stay_apart(tmp_path: Path) -> None:
    for index, name in enumerate(('b.png', 'a.png', 'c.png')):
        write_image(tmp_path / name, picture(seed=index))
    (tmp_path / 'a.bmp').write_bytes(cv2.imencode('.bmp', picture(seed=3))[1].tobytes())
    (tmp_path / 'notes.txt').write_text('no image')
    frames = frames_of(tmp_path)
    assert [frame.name for frame in frames] == ['a.bmp', 'a.png', 'b', 'c']
    np.testing.assert_array_equal(frames[2].read().image, picture(seed=0))


def test_damaged_image_is_named_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_bytes(b'')
    (tmp_path / 'b.jpg').write_bytes(b'no image at all')
    write_image(tmp_path / 'c.png', picture())
    first, second, third = frames_of(tmp_path)
    for frame in (first, second):
        with pytest.raises(HydranetError, match=r'[ab]\.(png|jpg) is damaged or not an image'):
            frame.read()
    assert third.read().image.shape == (20, 30, 3)


def test_video_reads_back(tmp_path: Path) -> None:
    colors = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    flat_film(tmp_path / 'film.mp4', colors)
    source = open_source(str(tmp_path / 'film.mp4'))
    frames = list(source.frames())
    assert (source.name, source.count, source.rate) == ('film', 3, 12.5)
    assert [frame.name for frame in frames] == ['film_000000', 'film_000001', 'film_000002']
    for frame, color in zip(frames, colors, strict=True):
        # The codec loses a little; channels must not be swapped.
        assert np.abs(frame.read().image.mean((0, 1)) - color).max() < 12


def test_video_of_odd_and_changing_sizes(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / 'film.mp4', 10) as video:
        video.write(picture(49, 65))
        video.write(picture(120, 33))
    assert [f.read().image.shape for f in frames_of(tmp_path / 'film.mp4')] == [(48, 64, 3)] * 2


def test_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(HydranetError, match=r'no file or folder .*nowhere'):
        open_source(str(tmp_path / 'nowhere'))
    with pytest.raises(HydranetError, match='holds no image'):
        open_source(str(tmp_path))
    (tmp_path / 'notes.mp4').write_text('no film')
    with pytest.raises(HydranetError, match='neither an image nor a video'):
        open_source(str(tmp_path / 'notes.mp4'))
    with pytest.raises(HydranetError, match='Camera 97 cannot be opened'):
        open_source('97')
    (tmp_path / 'file').touch()
    with pytest.raises(HydranetError, match='cannot be written'):
        write_image(tmp_path / 'file' / 'image.png', picture())
    with pytest.raises(HydranetError, match='cannot be written'):
        flat_film(tmp_path / 'file' / 'film.mp4', [(0, 0, 0)])


@pytest.mark.parametrize(
    ('positions', 'times'),
    [
        ([7.0, 7.5, 12.0, 12.04], [0.0, 0.5, 5.0, 5.04]),  # a rate that varies
        ([0.0, 0.0, 0.0], [0.0, 0.1, 0.2]),  # no positions
        ([0.0, 5.0, 2.0, 6.0], [0.0, 5.0, 5.1, 6.0]),
    ],
)
def test_times_of_video_frames(positions: list[float], times: list[float]) -> None:
    found = FrameTimes(rate=10.0)
    np.testing.assert_allclose([found.next(position) for position in positions], times)


def test_a_folder_named_like_a_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / '00' / 'a.png', picture())
    monkeypatch.chdir(tmp_path)
    assert [frame.name for frame in open_source('00').frames()] == ['a']
    with pytest.raises(HydranetError, match='no camera 99999999999'):
        open_source('99999999999')


def photo(path: Path, size: tuple[int, int], **tags: float) -> Path:
    """Write a photo with the metadata of a phone."""
    image = Image.new('RGB', size)
    exif = Image.Exif()
    if tags:
        exif.get_ifd(0x8769)[0xA405] = tags['focal_length_35mm']
    image.save(path, exif=exif)
    return path


def test_a_photo_tells_its_focal_length(tmp_path: Path) -> None:
    # The diagonal of 36x24 mm is 43.27 mm, that of 4000x3000 pixels is 5000 pixels.
    path = photo(tmp_path / 'a.jpg', (4000, 3000), focal_length_35mm=26)
    (frame,) = frames_of(path)
    assert frame.read().fx == pytest.approx(26 / 43.2666 * 5000, rel=1e-4)
    # A copy of half the size shows the same view.
    half = photo(tmp_path / 'b.jpg', (2000, 1500), focal_length_35mm=26)
    assert frames_of(half)[0].read().fx == pytest.approx(26 / 43.2666 * 2500, rel=1e-4)
    assert frames_of(photo(tmp_path / 'c.jpg', (40, 30)))[0].read().fx is None
    # Scanners and editors write 0 for "unknown".
    unknown = photo(tmp_path / 'd.jpg', (40, 30), focal_length_35mm=0)
    assert frames_of(unknown)[0].read().fx is None
    # What the user gives is better.
    (sample,) = open_samples(str(path), focal_length=1000.0).samples()
    assert sample.fx == 1000.0
    # The intrinsics of a folder take precedence.
    (tmp_path / 'camera-intrinsics.txt').write_text('50 0 20\n0 50 15\n0 0 1\n')
    assert {frame.read().fx for frame in frames_of(tmp_path)} == {50.0}


def test_the_images_of_a_folder_of_samples(tmp_path: Path) -> None:
    for name in ('image', 'depth'):
        write_image(tmp_path / name / '0.png', picture())
    (tmp_path / 'camera-intrinsics.txt').write_text('50 0 20\n0 60 15\n0 0 1\n')
    (frame,) = frames_of(tmp_path)
    sample = frame.read()
    np.testing.assert_array_equal(sample.image, picture())
    assert sample.camera is not None
    assert (sample.camera.matrix[1, 1], sample.depth) == (60.0, None)
