# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers, the views they are shown, and the mappings of their classes."""

from __future__ import annotations

from itertools import pairwise
import os
from pathlib import Path
import sys
from typing import Any

import cv2
from distillation_data import blocks, color_teacher, paint, write_onnx, write_yaml
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import yaml

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.resources import share_directory
from hydranet_ros.training.distillation.mappings import LabelMapping, load_mapping
from hydranet_ros.training.distillation.teachers import load_teacher, read_teacher_file
from hydranet_ros.training.distillation.teachers.signature import Signature
from hydranet_ros.training.distillation.teachers.tiled_views import Views

DATA = Path(os.environ.get('HYDRANET_DATA', share_directory().parent / 'shared' / 'data'))
needs_data = pytest.mark.skipif(
    not (DATA / 'teachers').is_dir(), reason='no research images here (HYDRANET_DATA)'
)
MAPPINGS = sorted((share_directory() / 'config' / 'mappings').glob('*.yaml'))


# Views


@settings(deadline=None, max_examples=80)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 200),
    aspect=st.none() | st.floats(0.3, 4),
    overlap=st.floats(0, 0.8),
    zooms=st.lists(st.floats(1, 3), min_size=1, max_size=2),
)
def test_tiles_cover_the_image_at_every_zoom(
    height: int, width: int, aspect: float | None, overlap: float, zooms: list[float]
) -> None:
    for zoom in zooms:
        covered = np.zeros((height, width), bool)
        for rows, columns in Views(aspect, overlap, (zoom,)).windows(height, width):
            assert 0 <= rows.start < rows.stop <= height
            assert 0 <= columns.start < columns.stop <= width
            covered[rows, columns] = True
        assert covered.all()


def test_wide_frames_are_cut_at_the_wanted_shape_with_overlap() -> None:
    windows = list(Views(aspect=1.3, overlap=0.25).windows(370, 1226))
    columns = [window[1] for window in windows]
    assert all(window[0] == slice(0, 370) for window in windows)
    assert {each.stop - each.start for each in columns} == {481}
    for left, right in pairwise(columns):
        assert left.stop - right.start >= 0.25 * 481 - 1


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 99),
    aspect=st.none() | st.floats(0.5, 2),
    flip=st.booleans(),
    zooms=st.sampled_from([(1.0,), (1.0, 1.7)]),
)
def test_the_views_of_a_pixelwise_teacher_agree(
    seed: int, aspect: float | None, flip: bool, zooms: tuple[float, ...]
) -> None:
    rgb = paint(blocks(seed, 30, 77))
    views = Views(aspect, 0.3, zooms, flip)
    averaged = views.average(rgb, lambda tile: tile.astype(np.float32))
    np.testing.assert_allclose(averaged, rgb, atol=1e-3)


def test_gammas_are_other_exposures() -> None:
    rgb = np.full((4, 4, 3), 64, np.uint8)
    averaged = Views(gammas=(1.0, 0.5)).average(rgb, lambda tile: tile.astype(np.float32))
    np.testing.assert_allclose(averaged, (64 + np.round(255 * (64 / 255) ** 0.5)) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    'wrong', [{'aspect': 0.0}, {'overlap': 1.0}, {'zooms': (0.5,)}, {'gammas': ()}]
)
def test_impossible_views_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(HydranetError, match=r'tiles|views'):
        Views(**wrong)


# Mappings


@pytest.mark.parametrize('path', MAPPINGS, ids=lambda path: path.stem)
def test_shipped_mappings_are_complete(path: Path) -> None:
    mapping = load_mapping(path.stem)
    source, target = path.stem.split('_to_')
    assert mapping.source.name == source
    assert target.startswith(mapping.target.name)
    assert mapping.table.shape == (mapping.source.size,)
    assert mapping.table.max() < mapping.target.size


def test_cityscapes_means_the_same_in_kitti6() -> None:
    table = load_mapping('cityscapes19_to_kitti6').table
    assert {i: int(table[i]) for i in (10, 2, 0, 1, 8, 13)} == {
        10: 0,
        2: 1,
        0: 2,
        1: 3,
        8: 4,
        13: 5,
    }


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'sky': ...}, 'does not map these classes of kitti6: sky'),
        ({'moon': 'sky'}, 'maps names that are not classes of kitti6: moon'),
        ({'sky': 'heaven'}, 'maps to names that are not classes of camvid11: heaven'),
    ],
)
def test_incomplete_mappings_are_refused(change: dict[str, Any], message: str) -> None:
    classes: dict[str, Any] = dict.fromkeys(load_label_set('kitti6').classes, 'sky')
    classes.update(change)
    classes = {key: value for key, value in classes.items() if value is not ...}
    with pytest.raises(HydranetError, match=message):
        LabelMapping.from_dict({'source': 'kitti6', 'target': 'camvid11', 'classes': classes})


def test_mappings_survive_their_own_file(tmp_path: Path) -> None:
    mapping = load_mapping('cityscapes19_to_camvid11')
    again = load_mapping(write_yaml(tmp_path / 'mapping.yaml', mapping.to_dict()))
    np.testing.assert_array_equal(again.table, mapping.table)
    with pytest.raises(HydranetError, match='needs the keys'):
        load_mapping(write_yaml(tmp_path / 'mapping.yaml', {'source': 'kitti6'}))
    with pytest.raises(HydranetError, match='Cannot read'):
        load_mapping(tmp_path / 'absent.yaml')


def test_classes_that_share_a_target_win_together() -> None:
    mapping = load_mapping('cityscapes19_to_camvid11')
    scores = np.zeros((1, 3, 19), np.float32)
    names = mapping.source.classes
    scores[0, 0, names.index('car')] = scores[0, 0, names.index('truck')] = 0.3
    scores[0, 0, names.index('road')] = 0.4
    scores[0, 1, names.index('sky')] = 0.55
    scores[0, 2, names.index('sky')] = 0.45
    labels, confidence = mapping.translate(scores, threshold=0.5)
    ids = mapping.target.classes
    assert labels.tolist() == [[ids.index('car'), ids.index('sky'), 255]]
    np.testing.assert_allclose(confidence, [[0.6, 0.55, 0.45]])


def test_classes_that_are_not_taught_become_unlabelled_where_they_win() -> None:
    mapping = load_mapping('cityscapes19_to_kitti6')
    scores = np.zeros((1, 2, 19), np.float32)
    scores[0, 0, mapping.source.classes.index('person')] = 0.5
    scores[0, 0, mapping.source.classes.index('rider')] = 0.1
    scores[0, 0, mapping.source.classes.index('road')] = 0.4
    scores[0, 1, mapping.source.classes.index('road')] = 0.6
    assert mapping.translate(scores)[0].tolist() == [[255, 2]]


# Exported files


def test_an_onnx_teacher_gives_scores_at_the_images_size(tmp_path: Path) -> None:
    teacher = load_teacher(color_teacher(tmp_path))
    labels = blocks(0, 48, 80)
    scores = teacher.annotate(paint(labels)).scores
    assert scores is not None and scores.shape == (48, 80, 3)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)
    assert (scores.argmax(axis=-1) == labels).mean() > 0.9


def test_equal_identities_mean_equal_teachers(tmp_path: Path) -> None:
    first = load_teacher(color_teacher(tmp_path)).identity
    assert load_teacher(color_teacher(tmp_path)).identity == first
    assert load_teacher(color_teacher(tmp_path), views=Views(flip=True)).identity != first
    write_onnx(tmp_path / 'other.onnx', 9 * np.eye(3), np.zeros(3))
    other = color_teacher(tmp_path, file=str(tmp_path / 'other.onnx'))
    assert load_teacher(other).identity['sha256'] != first['sha256']


def test_the_declared_normalisation_layout_and_channels_are_used() -> None:
    signature = Signature(
        size=(2, 2),
        meaning='logits',
        label_set='kitti6',
        mean=(0.5, 0.25, 0.0),
        std=(0.5, 1.0, 2.0),
        layout='nchw',
        channels='bgr',
    )
    rgb = np.full((2, 2, 3), (255, 127.5, 0), np.uint8)
    batch = signature.prepare(rgb)
    assert batch.shape == (1, 3, 2, 2) and batch.dtype == np.float32
    np.testing.assert_allclose(batch[0, :, 0, 0], [-1.0, 127 / 255 - 0.25, 0.5], atol=1e-6)
    plain = Signature((2, 2), 'ids', 'kitti6', dtype='uint8').prepare(rgb)
    assert plain.dtype == np.uint8 and plain[0, 0, 0].tolist() == [255, 127, 0]


def test_outputs_are_read_as_declared() -> None:
    ids = Signature((2, 3), 'ids', 'kitti6').interpret(np.array([[[0, 1, 2], [3, 4, 5]]]), 6)
    np.testing.assert_array_equal(ids.argmax(axis=-1), [[0, 1, 2], [3, 4, 5]])
    shares = np.random.default_rng(0).random((1, 6, 2, 3)).astype(np.float32)
    signature = Signature((2, 3), 'probabilities', 'kitti6', layout='nchw')
    np.testing.assert_array_equal(signature.interpret(shares, 6), shares[0].transpose(1, 2, 0))
    depth = Signature((2, 3), 'depth', metres=0.001).interpret(np.full((1, 2, 3, 1), 1500), 0)
    assert depth.shape == (2, 3, 1) and np.allclose(depth, 1.5)


@pytest.mark.parametrize(
    ('signature', 'output', 'message'),
    [
        (Signature((2, 2), 'ids', 'kitti6'), np.full((1, 2, 2), 6), 'gave the id 6'),
        (Signature((2, 2), 'ids', 'kitti6'), np.full((1, 2, 2), -1), 'gave the id -1'),
        (Signature((2, 2), 'logits', 'kitti6'), np.zeros((1, 2, 2, 5)), 'has 6 classes'),
        (Signature((2, 2), 'depth'), np.zeros((1, 2, 2, 2)), 'not an image'),
    ],
)
def test_outputs_that_break_the_signature_are_refused(
    signature: Signature, output: np.ndarray, message: str
) -> None:
    with pytest.raises(HydranetError, match=message):
        signature.interpret(output, 6)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'meaning': 'labels'}, "meaning must be one of .* not 'labels'"),
        ({'dtype': 'float64'}, "dtype must be one of .* not 'float64'"),
        ({'size': [0, 4]}, 'size is the height and the width'),
        ({'label_set': None}, 'names a label_set unless its meaning is depth'),
        ({'sizes': 3}, "has no key 'sizes'"),
    ],
)
def test_wrong_signatures_are_told_in_a_sentence(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    network = write_onnx(tmp_path / 'colors.onnx', np.eye(3), np.zeros(3))
    signature = {'size': [24, 40], 'meaning': 'logits', 'label_set': 'kitti6', **change}
    content = {'kind': 'exported', 'file': str(network), 'signature': signature}
    with pytest.raises(HydranetError, match=message):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))


def test_files_that_are_no_networks_are_named(tmp_path: Path) -> None:
    for name, message in (
        ('broken.onnx', 'broken.onnx is not an ONNX file'),
        ('broken.tflite', 'broken.tflite is not a TFLite file'),
        ('model.pt', 'model.pt is not one of .tflite, .onnx'),
    ):
        if name.endswith('onnx'):
            pytest.importorskip('onnxruntime')
        if name.endswith('tflite'):
            pytest.importorskip('ai_edge_litert')
        (tmp_path / name).write_bytes(b'nothing of the kind')
        file = color_teacher(tmp_path, file=str(tmp_path / name))
        with pytest.raises(HydranetError, match=message):
            load_teacher(file)
    with pytest.raises(HydranetError, match=r'Cannot read .*absent\.onnx'):
        load_teacher(color_teacher(tmp_path, file=str(tmp_path / 'absent.onnx')))


def test_an_input_that_the_network_does_not_take_is_told(tmp_path: Path) -> None:
    file = color_teacher(tmp_path)
    text = file.read_text().replace('nchw', 'nhwc')
    file.write_text(text)
    teacher = load_teacher(file)
    with pytest.raises(HydranetError, match='does not take its declared input'):
        teacher.annotate(paint(blocks(0)))


@pytest.mark.parametrize(
    ('package', 'suffix', 'name'),
    [('onnxruntime', '.onnx', 'ONNX Runtime'), ('ai_edge_litert', '.tflite', 'LiteRT')],
)
def test_a_missing_runtime_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, suffix: str, name: str
) -> None:
    (tmp_path / f'model{suffix}').write_bytes(b'')
    file = color_teacher(tmp_path, file=str(tmp_path / f'model{suffix}'))
    for module in [package, *(key for key in sys.modules if key.startswith(f'{package}.'))]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f'{package}.interpreter', None)
    with pytest.raises(HydranetError, match=rf'needs {name}; .*hydranet_ros\[distillation\]'):
        load_teacher(file)


def test_unknown_kinds_and_views_of_teachers_without_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HydranetError, match="unknown kind of teacher 'oracle'; known are"):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', {'kind': 'oracle'}))
    content = {'kind': 'rtmonodepth', 'encoder': 'a', 'decoder': 'b'}
    with pytest.raises(HydranetError, match='sees whole images'):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content), views=Views(flip=True))


@pytest.mark.parametrize(
    'path',
    sorted((share_directory() / 'config' / 'teachers').glob('*.yaml')),
    ids=lambda path: path.stem,
)
def test_shipped_teacher_files_are_right(path: Path) -> None:
    pytest.importorskip('torch')
    variables = {'data': 'data', 'label_model': 'labels.x', 'depth_model': 'depth.x'}
    variables['meter'] = 'meter.pth'
    file = read_teacher_file(path.stem, variables)
    assert file.about['name'] == path.stem
    assert {'source', 'license'} <= file.about.keys()
    labels = getattr(getattr(file.settings, 'signature', file.settings), 'label_set', None)
    assert labels is None or load_label_set(labels)


# Our own models


def test_our_own_model_teaches_what_it_predicts(tmp_path: Path) -> None:
    torch = pytest.importorskip('torch')
    from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice, save_bundle
    from hydranet_ros.model.network import HydraNet
    from hydranet_ros.runtime.predictor import Predictor

    torch.manual_seed(0)
    tasks = {'segmentation': 6, 'depth': 1}
    metadata = BundleMetadata(
        'own', tasks, (LabelSlice(load_label_set('kitti6')),), canonical_focal=100.0
    )
    path = tmp_path / 'own.safetensors'
    save_bundle(path, Bundle.from_network(metadata, HydraNet(tasks)))
    content = {'kind': 'bundle', 'model': str(path), 'device': 'cpu'}
    teacher = load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))
    rgb = paint(blocks(3, 48, 64))
    annotation = teacher.annotate(rgb, fx=50.0)
    predictor = Predictor(
        path, device='cpu', precision='float32', fields=('labels', 'confidence', 'depth')
    )
    expected = predictor.predict(rgb, 50.0)
    assert teacher.labels == load_label_set('kitti6')
    assert annotation.scores is not None and annotation.depth is not None
    np.testing.assert_array_equal(annotation.scores.argmax(axis=-1), expected.labels)
    np.testing.assert_allclose(
        annotation.scores.max(axis=-1) * 255, expected.confidence, rtol=1e-5
    )
    np.testing.assert_allclose(annotation.depth, expected.depth, rtol=1e-5)
    only_depth = load_teacher(
        write_yaml(tmp_path / 'teacher.yaml', {**content, 'tasks': ['depth']})
    )
    assert only_depth.labels is None and only_depth.annotate(rgb).scores is None
    with pytest.raises(HydranetError, match='own cannot teach normals'):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', {**content, 'tasks': ['normals']}))


# RT-MonoDepth-S


def rtmonodepth_file(folder: Path, **changes: object) -> Path:
    """Write the teacher with made-up weights, and return its file."""
    torch = pytest.importorskip('torch')
    from hydranet_ros.training.distillation.teachers.rtmonodepth import Decoder, Encoder

    torch.manual_seed(0)
    torch.save({**Encoder().state_dict(), 'height': 64, 'width': 96}, folder / 'encoder.pth')
    torch.save(Decoder().state_dict(), folder / 'decoder.pth')
    content = {
        'kind': 'rtmonodepth',
        'encoder': str(folder / 'encoder.pth'),
        'decoder': str(folder / 'decoder.pth'),
        'size': [64, 96],
        **changes,
    }
    return write_yaml(folder / 'teacher.yaml', content)


def test_rtmonodepth_gives_metres_at_the_images_size(tmp_path: Path) -> None:
    teacher = load_teacher(rtmonodepth_file(tmp_path))
    rgb = paint(blocks(1, 50, 90))
    depth = teacher.annotate(rgb).depth
    assert depth is not None and depth.shape == (50, 90) and depth.dtype == np.float32
    assert ((depth > 0.54) & (depth < 540)).all()
    mirrored = teacher.annotate(np.ascontiguousarray(rgb[:, ::-1])).depth
    np.testing.assert_allclose(mirrored[:, ::-1], depth, rtol=1e-4)


def test_rtmonodepth_leaves_out_where_its_mirrored_self_disagrees(tmp_path: Path) -> None:
    rgb = paint(blocks(1, 64, 96))
    loose = load_teacher(rtmonodepth_file(tmp_path, agreement=10.0)).annotate(rgb).depth
    strict = load_teacher(rtmonodepth_file(tmp_path, agreement=1e-9)).annotate(rgb).depth
    assert loose is not None and strict is not None
    assert np.isfinite(loose).all()
    assert np.isnan(strict).mean() > 0.5
    known = np.isfinite(strict)
    np.testing.assert_array_equal(strict[known], loose[known])


def test_rtmonodepth_refuses_other_weights(tmp_path: Path) -> None:
    file = rtmonodepth_file(tmp_path, encoder=str(tmp_path / 'decoder.pth'))
    with pytest.raises(HydranetError, match='holds the weights of another network'):
        load_teacher(file)
    (tmp_path / 'encoder.pth').write_bytes(b'nothing of the kind')
    file = write_yaml(
        tmp_path / 'teacher.yaml',
        {
            'kind': 'rtmonodepth',
            'encoder': str(tmp_path / 'encoder.pth'),
            'decoder': str(tmp_path / 'decoder.pth'),
        },
    )
    with pytest.raises(HydranetError, match='damaged or not a weight file of RT-MonoDepth-S'):
        load_teacher(file)
    with pytest.raises(HydranetError, match='multiples of 16'):
        load_teacher(rtmonodepth_file(tmp_path, size=[100, 640]))
    with pytest.raises(HydranetError, match='at least 32'):
        load_teacher(rtmonodepth_file(tmp_path, size=[16, 640]))


# METER


def meter_file(folder: Path, **changes: object) -> Path:
    """Write the teacher with made-up weights, and return its file."""
    torch = pytest.importorskip('torch')
    from hydranet_ros.training.distillation.teachers.meter import Meter

    torch.manual_seed(0)
    network = Meter()
    with torch.no_grad():
        network.decoder.conv2d_out.weight.abs_()  # ahead of it is a ReLU: metres are positive
        network.decoder.conv2d_out.weight.mul_(1e3)
    torch.save(network.state_dict(), folder / 'meter.pth')
    content = {'kind': 'meter', 'weights': str(folder / 'meter.pth'), 'size': [64, 128], **changes}
    return write_yaml(folder / 'meter.yaml', content)


def test_meter_gives_metres_at_the_images_size(tmp_path: Path) -> None:
    teacher = load_teacher(meter_file(tmp_path))
    rgb = paint(blocks(1, 50, 90))
    depth = teacher.annotate(rgb).depth
    assert depth is not None and depth.shape == (50, 90) and depth.dtype == np.float32
    assert (depth >= 0.499).all() and depth.std() > 0
    mirrored = teacher.annotate(np.ascontiguousarray(rgb[:, ::-1])).depth
    np.testing.assert_allclose(mirrored[:, ::-1], depth, rtol=1e-3)


def test_meter_attends_within_the_places_of_a_patch(tmp_path: Path) -> None:
    """A pixel sees those that have its own place in their 2x2 patches, and no others."""
    torch = pytest.importorskip('torch')
    from hydranet_ros.training.distillation.teachers.meter import _MobileViT

    torch.manual_seed(0)
    block = _MobileViT(4, 8, 16).eval()
    # Without its convolutions' neighbourhoods, all that spreads is attention.
    for convolution in (block.conv1[0], block.conv4[0]):
        kernel = convolution.depthwise.weight
        with torch.no_grad():
            kernel[..., [0, 2], :] = 0
            kernel[..., :, [0, 2]] = 0
    image = torch.rand(1, 4, 8, 8)
    other = image.clone()
    other[..., 2, 5] += 1.0
    with torch.no_grad():
        changed = (block(image) != block(other)).any(dim=1)[0].nonzero().tolist()
    assert changed and all(row % 2 == 0 and column % 2 == 1 for row, column in changed)


def test_meter_refuses_other_weights_and_sizes(tmp_path: Path) -> None:
    with pytest.raises(HydranetError, match='multiples of 64'):
        load_teacher(meter_file(tmp_path, size=[100, 640]))
    (tmp_path / 'meter.pth').write_bytes(b'nothing of the kind')
    file = {'kind': 'meter', 'weights': str(tmp_path / 'meter.pth')}
    with pytest.raises(HydranetError, match='damaged or not a weight file of METER'):
        load_teacher(write_yaml(tmp_path / 'meter.yaml', file))


# Teachers that must agree


def members(folder: Path, *scales: float) -> list[dict[str, object]]:
    """Return what is said of the same teacher with several scales."""
    said = yaml.safe_load(meter_file(folder).read_text())
    return [{**said, 'scale': scale} for scale in scales]


def test_agreeing_teachers_give_their_geometric_mean(tmp_path: Path) -> None:
    rgb = paint(blocks(1, 50, 90))
    alone = load_teacher(meter_file(tmp_path)).annotate(rgb).depth
    content = {'kind': 'agreeing', 'members': members(tmp_path, 1.0, 1.21), 'agreement': 0.25}
    together = load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    np.testing.assert_allclose(together.annotate(rgb).depth, 1.1 * alone, rtol=1e-5)
    assert [said['scale'] for said in together.identity['members']] == [1.0, 1.21]
    content['agreement'] = 0.2
    apart = load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    assert np.isnan(apart.annotate(rgb).depth).all()
    assert apart.identity != together.identity


def test_agreeing_teachers_are_two_of_depth(tmp_path: Path) -> None:
    content = {'kind': 'agreeing', 'members': members(tmp_path, 1.0), 'agreement': 0.2}
    with pytest.raises(HydranetError, match='at least two'):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))
    content['members'] = [{'kind': 'oracle'}, {'kind': 'oracle'}]
    with pytest.raises(HydranetError, match="kind of teacher 'oracle'"):
        load_teacher(write_yaml(tmp_path / 'pair.yaml', content))


# The published teachers


@pytest.mark.data
@needs_data
def test_the_published_street_depth_agrees_with_its_other_implementation() -> None:
    variables = {'data': str(DATA)}
    errors = []
    for folder, name, scale in (
        ('camvid/val', 'rtmonodepth_s_4x3', 0.6292),
        ('kitti_odometry00', 'rtmonodepth_s', 1.0),
    ):
        teacher = load_teacher(name, variables)
        image = sorted((DATA / folder / 'image').iterdir())[5]
        depth = teacher.annotate(np.ascontiguousarray(cv2.imread(str(image))[..., ::-1])).depth
        file = DATA / folder / 'depth_distilled' / f'{image.stem}.png'
        given = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) / 256.0
        known = (given > 0) & np.isfinite(depth)
        errors.append(np.median(np.abs(scale * depth[known] / given[known] - 1)))
    assert max(errors) < 0.05


@pytest.mark.data
@needs_data
@pytest.mark.parametrize('name', ['cityscapes_deeplab', 'ade20k_deeplab'])
def test_the_logits_of_the_published_networks_are_what_their_argmax_takes(name: str) -> None:
    pytest.importorskip('ai_edge_litert')
    from ai_edge_litert.interpreter import Interpreter

    teacher: Any = load_teacher(name, {'data': str(DATA)}, Views())
    image = sorted((DATA / 'camvid' / 'val' / 'image').iterdir())[3]
    rgb = np.ascontiguousarray(cv2.imread(str(image))[..., ::-1])
    batch = teacher.signature.prepare(rgb)
    logits = teacher._session.run(batch)
    file = next((DATA / 'teachers').glob(f'*{teacher.identity["file"]}'))
    interpreter = Interpreter(str(file))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]['index'], batch)
    interpreter.invoke()
    ids = interpreter.get_tensor(interpreter.get_output_details()[0]['index'])
    assert (logits.argmax(axis=-1) == ids).mean() > 0.999


@pytest.mark.data
@needs_data
def test_the_street_teacher_knows_roads_and_skies() -> None:
    pytest.importorskip('ai_edge_litert')
    teacher = load_teacher('cityscapes_deeplab', {'data': str(DATA)})
    mapping = load_mapping('cityscapes19_to_camvid11')
    image = sorted((DATA / 'camvid' / 'val' / 'image').iterdir())[10]
    rgb = np.ascontiguousarray(cv2.imread(str(image))[..., ::-1])
    truth = cv2.imread(
        str(image.parents[1] / 'segmentation' / f'{image.stem}.png'), cv2.IMREAD_UNCHANGED
    )
    labels, _ = mapping.translate(teacher.annotate(rgb).scores)
    for name in ('road', 'building', 'tree'):
        index = mapping.target.classes.index(name)
        union = ((labels == index) | (truth == index)) & (truth != 11)
        assert ((labels == index) & (truth == index)).sum() > 0.6 * union.sum(), name


# Hugging Face


def test_a_missing_transformers_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'transformers', None)
    content = {
        'kind': 'huggingface',
        'model': 'nobody/segformer',
        'size': [64, 64],
        'label_set': 'cityscapes19',
    }
    with pytest.raises(
        HydranetError, match=r'needs the package transformers; .*hydranet_ros\[distillation\]'
    ):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))


def test_a_segformer_teaches_its_own_classes(tmp_path: Path) -> None:
    transformers = pytest.importorskip('transformers')
    names = [name.replace('_', ' ') for name in load_label_set('kitti6').classes]
    config = transformers.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / 'model')
    content = {
        'kind': 'huggingface',
        'model': str(tmp_path / 'model'),
        'size': [64, 96],
        'label_set': 'kitti6',
    }
    teacher = load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))
    scores = teacher.annotate(paint(blocks(0, 48, 70))).scores
    assert scores is not None and scores.shape == (48, 70, 6)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)
    again = load_teacher(tmp_path / 'teacher.yaml')
    assert again.identity == teacher.identity
    with pytest.raises(HydranetError, match=r'has 6 classes but cityscapes19 has 19'):
        load_teacher(
            write_yaml(tmp_path / 'teacher.yaml', {**content, 'label_set': 'cityscapes19'})
        )


@pytest.mark.parametrize('kind', ['metric', 'relative'])
def test_a_depth_anything_teaches_metric_depth_only(tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip('transformers')
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        out_features=['stage1', 'stage2', 'stage3', 'stage4'],
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=4,
        depth_estimation_type=kind,
        max_depth=20 if kind == 'metric' else None,
    )
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(tmp_path / 'model')
    content = {'kind': 'huggingface', 'model': str(tmp_path / 'model'), 'size': [56, 84]}
    file = write_yaml(tmp_path / 'teacher.yaml', content)
    if kind == 'relative':
        with pytest.raises(HydranetError, match='gives relative depth'):
            load_teacher(file)
        return
    depth = load_teacher(file).annotate(paint(blocks(0, 48, 70))).depth
    assert depth is not None and depth.shape == (48, 70)
    assert ((depth > 0) & (depth < 20)).all()


def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    pytest.importorskip('transformers')
    content = {'kind': 'huggingface', 'model': str(tmp_path), 'size': [64, 64]}
    with pytest.raises(HydranetError, match='cannot be loaded'):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))
