# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""`hydranet check`: what a dataset, folder or bag contains, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from hydranet_ros.cli.main import main
from hydranet_ros.data.image_files import read_rgb
from hydranet_ros.data.media import write_image

HEIGHT, WIDTH = 40, 60
LABELS = {
    'name': 'own',
    'classes': [{'name': name, 'color': [9, 9, 9]} for name in ('floor', 'wall', 'charger')],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write four images of which three have labels and two depth, with faults of each kind."""
    folder = tmp_path / 'rooms'
    generator = np.random.default_rng(0)
    for index in range(4):
        image = generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        write_image(folder / 'image' / f'{index}.png', image)
    for index in (0, 1, 2, 9):
        labels = np.zeros((HEIGHT, WIDTH), np.uint8)
        labels[:10] = 1
        labels[10:15] = 255
        write_image(folder / 'segmentation' / f'{index}.png', labels)
    for index in (0, 1):
        depth = np.full((HEIGHT, WIDTH), 2000 + 1000 * index, np.uint16)
        depth[:, :15] = 0
        write_image(folder / 'depth' / f'{index}.png', depth)
    (folder / 'camera-intrinsics.txt').write_text('50 0 30\n0 50 20\n0 0 1\n')
    (tmp_path / 'own.yaml').write_text(yaml.safe_dump(LABELS))
    return folder


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_what_a_folder_contains(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = folder.parent / 'sheet.png'
    labels = str(folder.parent / 'own.yaml')
    assert main(['check', str(folder), '--label-set', labels, '--sheet', str(sheet)]) == 0
    told = lines(capsys)
    assert 'rooms/all: 4 images' in told
    assert 'images: 4 of 60x40' in told and 'focal length: 50 px' in told
    assert 'segmentation (own): 3 images, 12.5% of the pixels unlabelled' in told
    assert (
        '    0  floor         3    71.43%' in told and '    2  charger       0     0.00%' in told
    )
    (depth,) = (line for line in told if line.startswith('depth'))
    assert depth.startswith('depth: 2 images, 75.0% of the pixels, 2 to 3 m')
    faults = [line for line in told if line.startswith('! ')]
    image = folder / 'image'
    assert faults == [
        f'! Images without segmentation: 1 ({image / "3.png"}).',
        f'! Images without depth: 2 ({image / "2.png"}, {image / "3.png"}).',
        '! Classes that never occur: 1 (charger).',
        f'! Annotations without an image: 1 ({folder / "segmentation" / "9.png"}).',
    ]
    height, width = read_rgb(sheet).shape[:2]
    assert width > 4 * 320 and height > 4 * 320 * HEIGHT / WIDTH


def test_ids_outside_the_label_set(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(folder / 'segmentation' / '0.png', np.full((HEIGHT, WIDTH), 7, np.uint8))
    labels, sheet = str(folder.parent / 'own.yaml'), str(folder.parent / 'sheet.png')
    assert main(['check', str(folder), '--label-set', labels, '--sheet', sheet]) == 0
    assert '! Ids outside the label set: 1 (7).' in lines(capsys)


def test_damaged_files_and_wrong_units(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / 'image' / '1.png').write_bytes(b'no image')
    command = ['check', str(folder), '--sheet', str(folder.parent / 'sheet.png')]
    assert main([*command, '--depth-unit', '1']) == 1
    told = lines(capsys)
    assert any('1.png is damaged or not an image' in line for line in told)
    assert any('median depth is 2e+03 m: is the unit right' in line for line in told)
    assert any(line.startswith('segmentation (class ids without names)') for line in told)


def test_a_dataset_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = {
        'root': 'rooms',
        'splits': {'train': {'last': '1'}},
        'segmentation': {'label_set': 'own.yaml', 'ignore': [0, 1]},
    }
    (folder.parent / 'rooms.yaml').write_text(yaml.safe_dump(dataset))
    sheet = str(folder.parent / 'sheet.png')
    assert main(['check', str(folder.parent / 'rooms.yaml'), '--sheet', sheet]) == 0
    assert any('All pixels are unlabelled' in line for line in lines(capsys))


def test_a_bag(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag, sheet = str(folder.parent / 'bag'), str(folder.parent / 'sheet.png')
    assert main(['make-bag', str(folder), bag]) == 0
    capsys.readouterr()
    assert main(['check', bag, '--sheet', sheet]) == 0
    told = lines(capsys)
    assert 'bag: 4 images' in told and 'focal length: 50 px' in told
    assert any(line.startswith('depth: 2 images, 75.0%') for line in told)
