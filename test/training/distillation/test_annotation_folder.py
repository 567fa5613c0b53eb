# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Annotation folders: what is written, what is kept, and what is never changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
from distillation_data import (
    blocks,
    contents,
    labels_config,
    paint,
    start,
    write_blocks,
)
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.annotation_folder import (
    AnnotationFolder,
    State,
    write_atomically,
)

IMAGE = {'image': 'its hash'}


def test_the_origin_of_each_file_is_told(config: Path) -> None:
    start(config).run()
    folder = config.parent / 'labels'
    manifest = json.loads((folder / 'manifest.json').read_text())
    network = config.parent / 'teacher' / 'colors.onnx'
    assert (
        manifest['recipe']['teacher']['sha256'] == hashlib.sha256(network.read_bytes()).hexdigest()
    )
    assert manifest['teacher'] == {'name': 'color_teacher', 'license': 'made for this test'}
    assert manifest['recipe']['mapping']['classes']['green'] == 'green'
    record = json.loads((folder / 'provenance' / '002.json').read_text())
    image = config.parent / 'data' / 'image' / '002.png'
    assert record['inputs'] == {'image': hashlib.sha256(image.read_bytes()).hexdigest()}
    assert record['sha256'] == hashlib.sha256((folder / '002.png').read_bytes()).hexdigest()
    assert record['fingerprint'] == manifest['fingerprint']
    assert record['labelled'] == 1.0
    assert record['mean_confidence'] > 0.9


def test_what_is_up_to_date_is_kept_without_asking_the_teacher(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(config).run()
    before = contents(config.parent / 'labels')
    (config.parent / 'labels' / '001.png').unlink()
    again = start(config)
    asked = []
    annotate = again.teacher.annotate
    monkeypatch.setattr(
        again.teacher, 'annotate', lambda rgb, fx: asked.append(1) or annotate(rgb, fx)
    )
    assert again.run() == {'written': 1, 'kept': 3}
    assert len(asked) == 1
    assert contents(config.parent / 'labels') == before


def test_another_recipe_or_image_replaces_our_own_annotations(config: Path) -> None:
    start(config).run()
    assert start(config, 'segmentation.confidence=0.99999').run() == {'written': 4}
    labels = cv2.imread(str(config.parent / 'labels' / '000.png'), cv2.IMREAD_UNCHANGED)
    assert (labels == 255).any()
    assert start(config, 'segmentation.confidence=0.99999').run() == {'kept': 4}
    image = config.parent / 'data' / 'image' / '000.png'
    assert cv2.imwrite(str(image), paint(blocks(77))[..., ::-1])
    assert start(config).run() == {'written': 4}
    labels = cv2.imread(str(config.parent / 'labels' / '000.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(labels, blocks(77))


def test_a_file_corrected_by_hand_stays(config: Path) -> None:
    start(config).run()
    edited = config.parent / 'labels' / '002.png'
    assert cv2.imwrite(str(edited), np.zeros((24, 40), np.uint8))
    by_hand = edited.read_bytes()
    assert start(config, 'segmentation.confidence=0.5').run() == {'written': 3, 'edited': 1}
    assert edited.read_bytes() == by_hand


def test_a_folder_that_is_not_ours_is_refused(config: Path) -> None:
    human = config.parent / 'labels' / 'notes.png'
    human.parent.mkdir()
    human.write_bytes(b'human')
    with pytest.raises(HydranetError, match=r'notes\.png\) that `hydranet distill` did not'):
        start(config).run()
    assert human.read_bytes() == b'human'


def test_a_file_without_provenance_in_our_folder_is_refused(config: Path) -> None:
    start(config).run()
    folder = config.parent / 'labels'
    (folder / 'provenance' / '003.json').unlink()
    before = contents(folder)
    with pytest.raises(HydranetError, match=r'003\.png has no readable provenance'):
        start(config).run()
    assert contents(folder) == before


def test_images_with_human_labels_are_left_out(tmp_path: Path) -> None:
    dataset = write_blocks(tmp_path / 'data', annotations=True)
    (tmp_path / 'data' / 'segmentation' / '001.png').unlink()
    before = contents(tmp_path / 'data')
    config = labels_config(tmp_path, dataset)
    assert start(config).run() == {'annotated': 3, 'written': 1}
    assert [path.name for path in (tmp_path / 'labels').glob('*.png')] == ['001.png']
    assert start(config, 'segmentation.every_image=true').run() == {'kept': 1, 'written': 3}
    assert contents(tmp_path / 'data') == before


def test_human_labels_cannot_be_the_output(tmp_path: Path) -> None:
    dataset = write_blocks(tmp_path / 'data', annotations=True)
    config = labels_config(
        tmp_path, dataset, output=str(tmp_path / 'data' / 'segmentation'), every_image=True
    )
    before = contents(tmp_path / 'data' / 'segmentation')
    with pytest.raises(HydranetError, match='hydranet distill` did not'):
        start(config).run()
    after = contents(tmp_path / 'data' / 'segmentation')
    assert after == before


@pytest.mark.parametrize('survivors', range(0, 9, 2))
def test_an_interruption_leaves_no_half_files(
    config: Path, monkeypatch: pytest.MonkeyPatch, survivors: int
) -> None:
    start(config).run()
    expected = contents(config.parent / 'labels')
    interrupted = start(config, f'segmentation.output={config.parent / "cut"}')
    calls = iter(range(100))

    def replace(self: Path, target: Path) -> Path:
        if next(calls) >= survivors:
            raise KeyboardInterrupt
        return original(self, target)

    original = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, 'replace', replace)
        with pytest.raises(KeyboardInterrupt):
            interrupted.run()
    left = contents(config.parent / 'cut')
    assert left.items() <= expected.items()
    start(config, f'segmentation.output={config.parent / "cut"}').run()
    assert contents(config.parent / 'cut') == expected


def test_a_write_over_an_outdated_file_survives_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AnnotationFolder(tmp_path, '.png', {'recipe': 1}, {}).write('a', b'old', IMAGE, {})
    folder = AnnotationFolder(tmp_path, '.png', {'recipe': 2}, {})
    assert folder.state('a', IMAGE) is State.OUTDATED
    original = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.suffix == '.png':
            raise KeyboardInterrupt
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'replace', replace)
        with pytest.raises(KeyboardInterrupt):
            folder.write('a', b'new', IMAGE, {})
    assert folder.state('a', IMAGE) is State.MISSING
    folder.write('a', b'new', IMAGE, {})
    assert folder.state('a', IMAGE) is State.CURRENT
    assert folder.state('a', {'image': 'another'}) is State.OUTDATED


def test_files_are_written_whole_and_readable(tmp_path: Path) -> None:
    write_atomically(tmp_path / 'file', b'first')
    write_atomically(tmp_path / 'file', b'second')
    assert (tmp_path / 'file').read_bytes() == b'second'
    assert [path.name for path in tmp_path.iterdir()] == ['file']
    assert (tmp_path / 'file').stat().st_mode & 0o400
