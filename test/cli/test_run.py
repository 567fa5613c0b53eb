# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`hydranet run`: files for each kind of input and model; bad frames do not stop the others."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
import re
from urllib.parse import unquote

import cv2
import numpy as np
from PIL import Image
from published import published_bundle, VARIANTS
import pytest

from hydranet_ros.bags.bag_files import BagWriter
from hydranet_ros.bags.message_types import (
    camera_info_message,
    CAMERA_INFO_TYPE,
    image_message,
    IMAGE_TYPE,
)
from hydranet_ros.cli import run
from hydranet_ros.data.media import open_source, VideoWriter, write_image
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.runtime.predictor import Predictor

SIZE = (45, 70)  # height and width, no multiples of 32


@pytest.fixture(scope='session')
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('models')
    paths = {name: folder / f'{name}.safetensors' for name in VARIANTS}
    for name, path in paths.items():
        save_bundle(path, published_bundle(name), 'float32')
    return paths


@pytest.fixture
def street(tmp_path: Path) -> Path:
    path = tmp_path / 'street.png'
    write_image(path, picture(0))
    return path


def picture(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (5, 7, 3), np.uint8)
    return np.asarray(cv2.resize(small, SIZE[::-1]), np.uint8)


def hydranet_run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return run.run(parser.parse_args([str(argument) for argument in arguments]))


def check_page(page: Path) -> None:
    """Every picture of a page exists."""
    sources = re.findall(r'src="([^"]+)"', page.read_text())
    assert len(sources) > 4
    assert not [source for source in sources if not (page.parent / unquote(source)).is_file()]


def stored(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize('variant', VARIANTS)
def test_files_hold_what_was_predicted(
    models: dict[str, Path], street: Path, tmp_path: Path, variant: str
) -> None:
    output = tmp_path / 'output'
    assert hydranet_run(models[variant], street, '-o', output) == 0
    expected = Predictor(models[variant]).predict(picture(0))
    labels = stored(output / 'segmentation/street.png')
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, expected.labels)
    depth = stored(output / 'depth/street.png')
    assert depth.dtype == np.uint16
    assert expected.depth is not None
    millimetres = np.where(expected.depth > 65.535, 0, expected.depth * 1000)
    np.testing.assert_allclose(depth, millimetres, atol=0.51)
    kinds = {'segmentation', 'depth', 'overlay', 'segmentation_color', 'depth_color', 'image'}
    if expected.normals is not None:
        kinds |= {'normals', 'normals_color'}
        np.testing.assert_array_equal(np.load(output / 'normals/street.npy'), expected.normals)
    pages = {'index.html', 'legend.png', 'metres.png'}
    assert {path.name for path in output.iterdir()} == kinds | pages
    check_page(output / 'index.html')
    for kind in kinds - {'segmentation', 'depth', 'normals', 'image'}:
        assert stored(output / kind / 'street.png').shape == (*SIZE, 3)


def test_label_set_chooses_the_slice(
    models: dict[str, Path], street: Path, tmp_path: Path
) -> None:
    for label_set in ('nyud40', 'kitti6'):
        arguments = [models['nyud40_kitti6'], street, '-o', tmp_path / label_set]
        assert hydranet_run(*arguments, '--label-set', label_set) == 0
    kitti = stored(tmp_path / 'kitti6/segmentation/street.png')
    assert kitti.max() < 6
    assert (stored(tmp_path / 'nyud40/segmentation/street.png') != kitti).any()
    with pytest.raises(HydranetError, match="no label set 'mars'"):
        hydranet_run(*arguments, '--label-set', 'mars')


def test_depth_as_array_follows_the_focal_length(street: Path, tmp_path: Path) -> None:
    model = tmp_path / 'model.safetensors'
    save_bundle(model, published_bundle(canonical_focal=500.0), 'float32')
    depths = []
    for fx in (500, 1000):
        output = tmp_path / str(fx)
        arguments = [model, street, '-o', output, '--depth-format', 'npy', '--fx', fx]
        assert hydranet_run(*arguments) == 0
        assert not list((output / 'depth').glob('*.png'))
        depths.append(np.load(output / 'depth/street.npy'))
    assert depths[0].dtype == np.float32
    np.testing.assert_allclose(depths[1], 2 * depths[0], rtol=1e-6)


def test_an_assumed_focal_length_is_told(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / 'model.safetensors'
    save_bundle(model, published_bundle(canonical_focal=500.0))
    hydranet_run(model, street, '-o', tmp_path / 'assumed')
    assert 'give the true one with --fx' in capsys.readouterr().out
    hydranet_run(model, street, '-o', tmp_path / 'given', '--fx', 500)
    assert '--fx' not in capsys.readouterr().out


def test_a_photo_of_many_pixels_is_resized_and_told(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = published_bundle('nyud40_normals', canonical_focal=50.0)
    ranged = replace(bundle, metadata=replace(bundle.metadata, focal_range=(40.0, 60.0)))
    path = save_bundle(tmp_path / 'm.safetensors', ranged).path
    photo = tmp_path / 'photo.png'
    write_image(photo, np.asarray(cv2.resize(picture(0), (280, 180)), np.uint8))
    assert hydranet_run(path, photo, '-o', tmp_path / 'a', '--fx', '100') == 0
    told = capsys.readouterr().out
    assert 'Images of 280x180 pixels are resized to 128x82 for the network.' in told
    assert stored(tmp_path / 'a/segmentation/photo.png').shape == (180, 280)
    native = ('--working-width', 'native')
    assert hydranet_run(path, photo, '-o', tmp_path / 'b', '--fx', '100', *native) == 0
    told = capsys.readouterr().out
    assert 'resized' not in told and 'it was trained for 40 to 60 px' in told
    with pytest.raises(SystemExit):
        hydranet_run(path, photo, '-o', tmp_path / 'c', '--working-width', 'wide')
    assert "The working width 'wide' is invalid" in capsys.readouterr().err


def test_the_input_is_not_overwritten(
    models: dict[str, Path], street: Path, tmp_path: Path
) -> None:
    folder = tmp_path / 'samples'
    write_image(folder / 'image' / '0.png', picture(0))
    for given in (folder, folder / 'image'):
        with pytest.raises(HydranetError, match='would overwrite the input'):
            hydranet_run(models['kitti6'], given, '-o', folder)
    assert {path.name for path in folder.iterdir()} == {'image'}


def test_some_photos_without_a_focal_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = published_bundle('kitti6', canonical_focal=500.0)
    model = save_bundle(tmp_path / 'm.safetensors', bundle).path
    photos = tmp_path / 'photos'
    for index in range(3):
        write_image(photos / f'{index}.png', picture(index))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    Image.fromarray(picture(3)).save(photos / 'last.jpg', exif=exif)
    assert hydranet_run(model, photos, '-o', tmp_path / 'output') == 0
    told = capsys.readouterr().out
    assert 'Depth of 3 images is scaled with an assumed focal length' in told
    assert 'Depth of 3 images' in (tmp_path / 'output' / 'index.html').read_text()


def test_a_bag_with_a_damaged_image(models: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / 'ride'
    with BagWriter(path) as bag:
        bag.add_topic('/camera/image', IMAGE_TYPE)
        bag.add_topic('/camera/camera_info', CAMERA_INFO_TYPE)
        for index in range(3):
            time = (index + 1) * NANOSECONDS // 10
            info = camera_info_message(70, 45, 1000.0, time)
            image = image_message(picture(index), time)
            image.step = 1 if index == 1 else image.step
            bag.write_message('/camera/camera_info', time, info)
            bag.write_message('/camera/image', time, image)
    bundle = published_bundle('kitti6', canonical_focal=500.0)
    model = save_bundle(tmp_path / 'm.safetensors', bundle).path
    output = tmp_path / 'output'
    assert hydranet_run(model, path, '-o', output, '--depth-format', 'npy') == 1
    assert {p.name for p in (output / 'depth').iterdir()} == {'000000.npy', '000002.npy'}
    expected = Predictor(model).predict(picture(2), 1000.0).depth
    np.testing.assert_array_equal(np.load(output / 'depth/000002.npy'), expected)
    assert (output / 'ride.mp4').is_file()


def test_one_damaged_image_does_not_stop_the_rest(
    models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / 'images', tmp_path / 'output'
    write_image(folder / 'a.png', picture(0))
    (folder / 'b.png').write_bytes(b'damaged')
    write_image(folder / 'c.png', np.zeros((8, 8, 3), np.uint8))
    write_image(folder / 'd.png', picture(1))
    assert hydranet_run(models['kitti6'], folder, '-o', output) == 1
    message = capsys.readouterr().err
    assert 'b.png is damaged or not an image' in message
    assert 'c.png: An image of 8x8 pixels is too small' in message
    assert '2 frames failed' in message
    assert [p.name for p in sorted((output / 'segmentation').iterdir())] == ['a.png', 'd.png']


def test_a_video_gives_a_film_too(models: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / 'output'
    with VideoWriter(tmp_path / 'ride.mp4', 5) as video:
        for seed in range(4):
            video.write(picture(seed))
    arguments = [models['kitti6'], tmp_path / 'ride.mp4', '-o', output, '--max-frames', 3]
    assert hydranet_run(*arguments) == 0
    assert len(list((output / 'segmentation').iterdir())) == 3
    film = open_source(str(output / 'ride.mp4'))
    assert (film.count, film.rate) == (3, 5.0)
    # Image and overlay above, segmentation and depth below.
    assert next(film.frames()).read().image.shape == (2 * 44, 2 * 70, 3)


def test_faults_end_in_one_sentence(models: dict[str, Path], street: Path, tmp_path: Path) -> None:
    with pytest.raises(HydranetError, match='no file or folder'):
        hydranet_run(models['kitti6'], tmp_path / 'nothing', '-o', tmp_path)
    with pytest.raises(HydranetError, match='no model'):
        hydranet_run(tmp_path / 'none.safetensors', street, '-o', tmp_path)
    with pytest.raises(HydranetError, match='cannot be written'):
        hydranet_run(models['kitti6'], street, '-o', street / 'below')
    with pytest.raises(HydranetError, match='0 < near < far'):
        hydranet_run(models['kitti6'], street, '-o', tmp_path, '--depth-colors', 5, 2)
