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
from hydranet_ros.messages.stamps import NANOSECONDS

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
    for page in ('before/report.html', 'after/report.html', 'comparison.html'):
        assert (tmp_path / page).is_file()
