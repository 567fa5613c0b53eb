# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of a newcomer's guides run as they are written."""

from __future__ import annotations

from pathlib import Path
import re
import shlex

from checkout import CHECKOUT
import cv2
import numpy as np
from PIL import Image
import pytest

from hydranet_ros.bags.bag_files import BagWriter
from hydranet_ros.bags.message_types import (
    camera_info_message,
    CAMERA_INFO_TYPE,
    image_message,
    IMAGE_TYPE,
)
from hydranet_ros.cli.main import main
from hydranet_ros.data.media import write_image
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.model.bundle import load_bundle

WIDTH, HEIGHT = 320, 240


def commands(guide: str) -> list[list[str]]:
    """Return the `hydranet` commands of a guide as lists of arguments."""
    text = (CHECKOUT / 'docs' / 'guides' / guide).read_text(encoding='utf-8')
    blocks = re.findall(r'```sh\n(.*?)```', text, re.DOTALL)
    lines = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
    found = [shlex.split(line, comments=True) for line in lines if line.startswith('hydranet ')]
    assert found
    return [words[1:] for words in found]


def python_of(guide: str) -> str:
    text = (CHECKOUT / 'docs' / 'guides' / guide).read_text(encoding='utf-8')
    (code,) = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    return str(code)


def picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT)), np.uint8)


def record_depth_camera(path: Path, count: int = 6) -> None:
    """Record what `ros2 bag record` does with a RealSense."""
    color, aligned = '/camera/color', '/camera/aligned_depth_to_color'
    with BagWriter(path) as bag:
        bag.add_topic(f'{color}/image_raw', IMAGE_TYPE)
        bag.add_topic(f'{color}/camera_info', CAMERA_INFO_TYPE)
        bag.add_topic(f'{aligned}/image_raw', IMAGE_TYPE)
        for index in range(count):
            time = (index + 1) * NANOSECONDS // 30
            depth = np.full((HEIGHT, WIDTH), 1500 + 100 * index, np.uint16)
            info = camera_info_message(WIDTH, HEIGHT, 300.0, time)
            bag.write_message(f'{color}/camera_info', time, info)
            bag.write_message(f'{color}/image_raw', time, image_message(picture(index), time))
            message = image_message(depth, time, encoding='16UC1')
            bag.write_message(f'{aligned}/image_raw', time, message)


def test_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    Image.fromarray(picture(0)).resize((1600, 1200)).save('photo.jpg', exif=exif)
    record_depth_camera(tmp_path / 'drive')
    for words in commands('photos.md'):
        assert main(words) == 0, words
    assert (tmp_path / 'results' / 'index.html').is_file()
    assert len(list((tmp_path / 'drive_results' / 'depth').iterdir())) == 4
    exec(python_of('photos.md'), {})


def test_a_recording_of_a_depth_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record_depth_camera(tmp_path / 'rooms')
    for words in commands('depth_camera.md'):
        assert main(words) == 0, words
    told = capsys.readouterr().out
    assert 'depth: 6 images, 100.0% of the pixels, 1.5 to 2 m' in told
    assert '2 images, 0 with labels, 2 with depth' in told
    for page in ('report_rooms/report.html', 'report_street/report.html', 'comparison.html'):
        assert (tmp_path / page).is_file()


def block(guide: str, marker: str) -> str:
    """Return the first YAML block of a guide after a text."""
    text = (CHECKOUT / 'docs' / 'guides' / guide).read_text(encoding='utf-8')
    found = re.search(r'```yaml\n(.*?)```', text[text.index(marker) :], re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.slow
def test_own_rooms_with_own_classes_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a recording to a trained model, with the files of two guides, in a few tiny steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HYDRANET_DATA', str(tmp_path))
    record_depth_camera(tmp_path / 'rooms')
    (extract,) = (words for words in commands('own_rooms.md') if words[0] == 'make-bag')
    assert main([*extract[:-1], '1']) == 0  # every image of this short recording
    for image in (tmp_path / 'rooms_data' / 'image').iterdir():
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[:100], labels[100:150, :80] = 1, 4
        write_image(tmp_path / 'rooms_data' / 'segmentation' / image.name, labels)
    classes = block('own_classes.md', 'Write `floor_and_things.yaml`')
    Path('floor_and_things.yaml').write_text(classes)
    dataset = block('own_rooms.md', 'Describe the dataset')
    for old, new in (('002699', '000003'), ('002700', '000004'), ('ade20k32', '{}.yaml')):
        assert old in dataset
        dataset = dataset.replace(old, new.format('floor_and_things'))
    Path('my_rooms.yaml').write_text(dataset)
    recipe = block('own_rooms.md', 'Write `my_recipe.yaml`')
    Path('my_recipe.yaml').write_text(recipe.replace('ade20k32', 'floor_and_things.yaml'))

    assert main(['check', 'my_rooms.yaml', '--split', 'train']) == 0
    (train,) = (words for words in commands('own_rooms.md') if words[0] == 'train')
    start = CHECKOUT / 'models' / 'street_kitchen.safetensors'
    train = [f'start={start}' if word.startswith('start=') else word for word in train]
    tiny = ['steps=2', 'batch=2', 'crops=[[96, 128]]', 'workers=0', 'evaluate_every=1']
    assert main([*train, *tiny, '--accelerator', 'cpu']) == 0
    model = 'runs/my_rooms/my_rooms.safetensors'
    metadata = load_bundle(Path(model)).metadata
    assert [piece.labels.classes[-1] for piece in metadata.label_slices] == ['charging_station']
    assert 'street_kitchen' in metadata.license and metadata.focal_range is not None
    (evaluate,) = (words for words in commands('own_rooms.md') if words[0] == 'evaluate')
    assert main(evaluate) == 0
    assert main(['evaluate', model, 'my_rooms.yaml', '--tasks', 'segmentation']) == 0
    assert main(['run', model, 'rooms_data', '-o', 'results', '--max-frames', '1']) == 0
