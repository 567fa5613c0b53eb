# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Distillation: what is written, what is kept, and what is never touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
from distillation_data import (
    blocks,
    color_teacher,
    depth_teacher,
    label_set_file,
    paint,
    write_blocks,
    write_yaml,
)
import numpy as np
import pytest
import yaml

from hydranet_ros.camera.ground import Ground
from hydranet_ros.cli.main import main
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.annotation_folder import (
    AnnotationFolder,
    State,
    write_atomically,
)
from hydranet_ros.training.distillation.distill import Distillation, load_config
from hydranet_ros.training.distillation.teachers import Teacher

IMAGE = {'image': 'its hash'}


def labels_config(root: Path, dataset: Path, **target: object) -> Path:
    """Write a distillation of the blocks' labels, and return its file."""
    section = {'output': str(root / 'labels'), **target}
    content = {
        'dataset': str(dataset),
        'split': 'all',
        'teacher': str(color_teacher(root / 'teacher')),
        'segmentation': section,
    }
    return write_yaml(root / 'distill.yaml', content)


def start(config: Path, *overrides: str) -> Distillation:
    """Load a distillation file."""
    return Distillation(*load_config(config, overrides))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a distillation of four images without labels."""
    return labels_config(tmp_path, write_blocks(tmp_path / 'data'))


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


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


def test_shares_of_several_processes_make_up_the_whole(config: Path) -> None:
    one = start(config)
    one.run()
    whole = contents(config.parent / 'labels')
    overrides = f'segmentation.output={config.parent / "shared"}'
    assert start(config, overrides).run(0, 3) == {'written': 2}
    assert start(config, overrides).run(2, 3) == {'written': 1}
    assert start(config, overrides).run(1, 3) == {'written': 1}
    assert contents(config.parent / 'shared') == whole


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


def depth_config(root: Path, dataset: Path, **target: object) -> Path:
    """Write a distillation of the blocks' depth, and return its file."""
    content = {
        'dataset': str(dataset),
        'split': 'all',
        'teacher': str(depth_teacher(root / 'teacher')),
        'depth': {'output': str(root / 'depth'), **target},
    }
    return write_yaml(root / 'distill.yaml', content)


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


@pytest.mark.parametrize(('name', 'horizon'), [('a_01', 20.0), ('b_01', 30.0)])
def test_what_stands_on_the_ground_moves_with_it(name: str, horizon: float) -> None:
    """A teacher of half the metres and of another horizon: all is as it would be by ours."""
    rows = np.broadcast_to(np.arange(60)[:, None] + 0.5, (60, 80))
    road = rows > 36
    # A wall stands where row 40 is road: its inverse depth is that of the road there.
    true = np.maximum(np.where(road, rows, 40.0) - horizon, 1e-6) / (100 * 1.5)
    theirs = 2 * (np.where(road, rows, 40.0) - 15.0) / (100 * 1.5)
    teacher = (1 / theirs).astype(np.float32)
    teacher[50:52, 30:40] = 1.0  # something on the road that is labelled as road
    ground = Ground(('road',), 1.5, 30 / 60, {'a_': 20 / 60}, maximum=100.0, align=True)
    laid = ground.laid(teacher, road, 100.0, name)
    np.testing.assert_allclose(laid, 1 / true, rtol=1e-3)
    little = np.zeros_like(road)
    little[50, :48] = True  # a hundredth of the image
    assert np.isnan(ground.laid(teacher, little, 100.0, name)).all()
    falling = np.where(road, 1 / teacher, teacher)  # nearer the farther down: no ground at all
    assert np.isnan(ground.laid(falling, road, 100.0, name)).all()


@pytest.mark.parametrize('wrong', [{'height': 0.0}, {'height': -1.0}, {'maximum': 0.0}])
def test_impossible_ground_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(HydranetError, match='above 0'):
        Ground(**{'classes': ('road',), 'height': 1.5, 'horizon': 0.5, **wrong})


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
    with pytest.raises(HydranetError, match='reduce units_per_metre'):
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
    assert figures['iou'] == {'red': 1.0, 'green': 1.0, 'blue': 1.0}
    depth = start(depth_config(tmp_path, dataset)).measure(limit=2)['depth']
    errors = []
    for number in (0, 3):
        found = 1 + 10 * (paint(blocks(number))[..., 0] / 255.0)
        truth = 1.0 + blocks(number)
        errors.append(np.abs(found - truth) / truth)
    assert depth['pooled']['abs_rel'] == pytest.approx(np.mean(errors), rel=1e-5)
    assert depth['known'] == 1.0
    assert contents(tmp_path / 'data') == before
    assert not (tmp_path / 'labels').exists() and not (tmp_path / 'depth').exists()


def test_an_unreadable_image_is_named(config: Path) -> None:
    (config.parent / 'data' / 'image' / '001.png').write_bytes(b'no image')
    with pytest.raises(HydranetError, match=r'001\.png is damaged'):
        start(config).run()


def test_the_command_writes_its_share_and_reports(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setenv('WORLD_SIZE', '3')
    assert main(['distill', str(config)]) == 0
    assert 'blocks/all (process 1 of 3): 1 written, 0 kept' in capsys.readouterr().out
    assert [path.name for path in (config.parent / 'labels').glob('*.png')] == ['001.png']
    monkeypatch.setenv('RANK', '3')
    assert main(['distill', str(config)]) == 1
    assert 'RANK=3 of WORLD_SIZE=3 is impossible' in capsys.readouterr().err


def test_the_command_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = labels_config(tmp_path, write_blocks(tmp_path / 'data', annotations=True))
    assert main(['distill', str(config), '--measure', '--limit', '2']) == 0
    assert json.loads(capsys.readouterr().out)['segmentation']['mean_iou'] == 1.0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'segmentation': None}, 'needs a section segmentation or depth'),
        ({'teachers': 'x'}, "has no key 'teachers'"),
        ({'teacher': 'nobody'}, 'no file config/teachers/nobody.yaml'),
    ],
)
def test_faults_of_the_file_are_told_in_a_sentence(
    config: Path, change: dict, message: str
) -> None:
    import yaml

    content = {**yaml.safe_load(config.read_text()), **change}
    with pytest.raises(HydranetError, match=message):
        start(write_yaml(config, {key: each for key, each in content.items() if each}))


def test_every_shipped_distillation_names_what_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    from hydranet_ros.resources import config_path, share_directory
    from hydranet_ros.training.distillation.mappings import load_mapping

    monkeypatch.setenv('HYDRANET_DATA', '/nowhere')
    files = sorted((share_directory() / 'config' / 'distillation').glob('*.yaml'))
    assert files
    for file in files:
        config, variables = load_config(file.stem)
        assert config_path(f'teachers/{config.teacher}.yaml')
        assert config_path(f'datasets/{config.dataset}.yaml')
        if config.segmentation is not None and config.segmentation.mapping:
            load_mapping(config.segmentation.mapping)
        assert variables


def test_a_teacher_needs_to_annotate() -> None:
    with pytest.raises(TypeError, match='annotate'):
        Teacher()  # type: ignore[abstract]
