# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Labels and depth as files, and their measurement."""

from __future__ import annotations

from pathlib import Path

import cv2
from distillation_data import (
    blocks,
    contents,
    depth_config,
    label_set_file,
    labels_config,
    paint,
    start,
    write_blocks,
    write_yaml,
)
import numpy as np
import pytest
import yaml

from hydranet_ros.errors import HydranetError


def test_labels_are_plain_images_of_what_the_teacher_says(config: Path) -> None:
    assert start(config).run() == {'written': 4}
    folder = config.parent / 'labels'
    assert {path.name for path in folder.iterdir()} == {
        *(f'{number:03d}.png' for number in range(4)),
        'manifest.json',
        'provenance',
    }
    for number in range(4):
        labels = cv2.imread(str(folder / f'{number:03d}.png'), cv2.IMREAD_UNCHANGED)
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, blocks(number))


def test_depth_is_scaled_and_stored_in_the_given_unit(tmp_path: Path) -> None:
    config = depth_config(tmp_path, write_blocks(tmp_path / 'data'), scale=0.5, maximum=4.0)
    assert start(config).run() == {'written': 4}
    stored = cv2.imread(str(tmp_path / 'depth' / '001.png'), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    metres = 0.5 * (1 + 10 * (paint(blocks(1))[..., 0] / 255.0))
    np.testing.assert_array_equal(stored == 0, metres >= 4)
    kept = metres < 4
    np.testing.assert_allclose(stored[kept] / 256, metres[kept], atol=0.5 / 256 + 1e-6)


def test_depth_can_be_floats(tmp_path: Path) -> None:
    config = depth_config(tmp_path, write_blocks(tmp_path / 'data'), format='tiff', maximum=4.0)
    assert start(config).run() == {'written': 4}
    stored = cv2.imread(str(tmp_path / 'depth' / '001.tiff'), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.float32
    metres = 1 + 10 * (paint(blocks(1))[..., 0] / 255.0)
    np.testing.assert_allclose(stored, np.where(metres < 4, metres, np.nan), rtol=1e-6)
    with pytest.raises(HydranetError, match="png or tiff, not as 'npy'"):
        start(config, 'depth.format=npy')


def test_depth_is_left_out_where_a_class_has_none(tmp_path: Path) -> None:
    dataset = write_blocks(tmp_path / 'data', annotations=True)
    config = depth_config(tmp_path, dataset, invalid_classes=['green'], every_image=True)
    start(config).run()
    stored = cv2.imread(str(tmp_path / 'depth' / '002.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored == 0, blocks(2) == 1)
    assert start(config).run() == {'kept': 4}
    labels = tmp_path / 'data' / 'segmentation' / '002.png'
    assert cv2.imwrite(str(labels), np.zeros((24, 40), np.uint8))
    assert start(config).run() == {'kept': 3, 'written': 1}
    stored = cv2.imread(str(tmp_path / 'depth' / '002.png'), cv2.IMREAD_UNCHANGED)
    assert (stored > 0).all()
    with pytest.raises(HydranetError, match=r'names sky, which is not in'):
        start(config, 'depth.invalid_classes=[sky]').run()


def test_the_ground_is_a_plane_where_a_class_says_so(tmp_path: Path) -> None:
    """Fx 100, 1.2 m above it, horizon in the middle of 24 rows: 100 * 1.2 / rows below."""
    dataset = write_blocks(tmp_path / 'data', annotations=True)
    config = depth_config(tmp_path, dataset, every_image=True)
    start(config).run()
    teachers = cv2.imread(str(tmp_path / 'depth' / '002.png'), cv2.IMREAD_UNCHANGED) / 256
    ground = 'depth.ground={classes: [green], height: 1.2, horizon: 0.5, maximum: 50}'
    assert start(config, ground).run() == {'written': 4}
    stored = cv2.imread(str(tmp_path / 'depth' / '002.png'), cv2.IMREAD_UNCHANGED) / 256
    rows = np.broadcast_to(np.arange(24)[:, None] + 0.5 - 12, (24, 40))
    with np.errstate(divide='ignore'):
        plane = np.where((rows > 0) & (120 / rows < 50), 120 / rows, 0)
    expected = np.where(blocks(2) == 1, plane, teachers)
    np.testing.assert_allclose(stored, expected, atol=0.5 / 256 + 1e-6)
    assert ((stored > 0) & (blocks(2) == 1)).any()


def test_another_focal_length_moves_the_ground_anew(tmp_path: Path) -> None:
    dataset = write_blocks(tmp_path / 'data', annotations=True)
    config = depth_config(tmp_path, dataset, every_image=True)
    ground = 'depth.ground={classes: [green], height: 1.2, horizon: 0.5}'
    assert start(config, ground).run() == {'written': 4}
    assert start(config, ground).run() == {'kept': 4}
    content = yaml.safe_load(dataset.read_text())
    write_yaml(dataset, {**content, 'intrinsics': {'fx': 120.0}})
    assert start(config, ground).run() == {'written': 4}


def test_the_ground_needs_labels_and_a_focal_length(tmp_path: Path) -> None:
    ground = 'depth.ground={classes: [green], height: 1.2, horizon: 0.5}'
    unlabelled = depth_config(tmp_path, write_blocks(tmp_path / 'data'))
    with pytest.raises(HydranetError, match='no labels that show green'):
        start(unlabelled, ground).run()
    dataset = write_blocks(tmp_path / 'labelled', annotations=True)
    content = yaml.safe_load(dataset.read_text())
    del content['intrinsics']
    config = depth_config(tmp_path, write_yaml(dataset, content), every_image=True)
    with pytest.raises(HydranetError, match='no focal length, which the depth of the ground'):
        start(config, ground).run()


def test_a_range_that_16_bits_cannot_hold_is_refused(tmp_path: Path) -> None:
    config = depth_config(tmp_path, write_blocks(tmp_path / 'data'), units_per_metre=1000)
    with pytest.raises(HydranetError, match='reduce `units_per_metre`'):
        start(config)


def test_a_teacher_is_asked_only_for_what_it_gives(tmp_path: Path) -> None:
    dataset = write_blocks(tmp_path / 'data')
    config = labels_config(tmp_path, dataset)
    with pytest.raises(HydranetError, match='gives no depth'):
        start(config, f'depth.output={tmp_path}')
    config = depth_config(tmp_path, dataset)
    with pytest.raises(HydranetError, match='gives no classes'):
        start(config, f'segmentation.output={tmp_path}')


def test_a_mapping_from_other_classes_is_refused(tmp_path: Path) -> None:
    config = labels_config(tmp_path, write_blocks(tmp_path / 'data'))
    with pytest.raises(HydranetError, match='translates cityscapes19 but the teacher gives rgb'):
        start(config, 'segmentation.mapping=cityscapes19_to_kitti6')


def test_a_mapping_is_applied(tmp_path: Path) -> None:
    target = label_set_file(tmp_path, 'warmth', ['cold', 'warm'])
    source = label_set_file(tmp_path, 'rgb', ['red', 'green', 'blue'])
    mapping = write_yaml(
        tmp_path / 'mapping.yaml',
        {
            'source': str(source),
            'target': str(target),
            'classes': {'red': 'warm', 'green': None, 'blue': 'cold'},
        },
    )
    config = labels_config(tmp_path, write_blocks(tmp_path / 'data'), mapping=str(mapping))
    start(config).run()
    labels = cv2.imread(str(tmp_path / 'labels' / '003.png'), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(labels, np.array([1, 255, 0], np.uint8)[blocks(3)])


def test_measuring_compares_with_human_labels_and_writes_nothing(tmp_path: Path) -> None:
    dataset = write_blocks(tmp_path / 'data', annotations=True)
    before = contents(tmp_path / 'data')
    figures = start(labels_config(tmp_path, dataset)).measure()['segmentation']
    assert figures['mean_iou'] == 1.0
    assert list(figures['classes']) == ['red', 'green', 'blue']
    assert {row['iou'] for row in figures['classes'].values()} == {1.0}
    depth = start(depth_config(tmp_path, dataset)).measure(limit=2)['depth']
    errors = []
    for number in (0, 3):
        found = 1 + 10 * (paint(blocks(number))[..., 0] / 255.0)
        truth = 1.0 + blocks(number)
        errors.append(np.abs(found - truth) / truth)
    assert depth['abs_rel'] == pytest.approx(np.mean(errors), rel=1e-5)
    assert depth['known'] == 1.0
    assert contents(tmp_path / 'data') == before
    assert not (tmp_path / 'labels').exists() and not (tmp_path / 'depth').exists()
