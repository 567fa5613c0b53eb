# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Tests of the dataset readers.

NYUDv2, KITTI and Cityscapes are not at hand: their readers are tested on small files that are
written here in the true formats (axes, types, units, names as published).
"""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from training_data import street, write_image, write_streets
import yaml

from hydranet_ros.data.media import open_source
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.data.sample import Dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set


def dataset_file(path: Path, **content: object) -> Path:
    """Write a dataset file."""
    path.write_text(yaml.safe_dump(content), encoding='utf-8')
    return path


def test_folders_give_what_was_written(tmp_path: Path) -> None:
    """Pixels, ids and metres come back; depth of 0 is unknown; missing files are None."""
    dataset = load_dataset(write_streets(tmp_path, 3, depth_from=1), 'all')
    arrays = street(2)
    sample = dataset.load(2)
    np.testing.assert_array_equal(sample.image, arrays['image'])
    np.testing.assert_array_equal(sample.segmentation, arrays['segmentation'])
    assert sample.depth is not None and sample.fx == 100.0 and sample.label_set == 'camvid11'
    known = arrays['depth'] > 0
    np.testing.assert_allclose(sample.depth[known], arrays['depth'][known] / 256)
    assert np.isnan(sample.depth[~known]).all()
    assert dataset.load(0).depth is None
    assert dataset.tasks(0) == {'segmentation'}
    assert dataset.tasks(2) == {'segmentation', 'depth'}


def test_splits_by_folder_range_and_list(tmp_path: Path) -> None:
    """The three ways to say which samples belong to a split, and what replaces what."""
    for root, fx_folder in (('a', 4), ('b', 2)):
        for number in range(fx_folder):
            write_image(tmp_path / root / 'image' / f'{number:02d}.png', street(number)['image'])
    (tmp_path / 'list.txt').write_text('02\n00\n')
    path = dataset_file(
        tmp_path / 'set.yaml',
        root=str(tmp_path),
        splits={
            'b': {'root': 'b', 'intrinsics': {'fx': 7}},
            'middle': {'root': 'a', 'first': '01', 'last': '02'},
            'listed': {'root': 'a', 'list': 'list.txt'},
        },
        intrinsics={'fx': 5.0},
    )
    names = {
        split: [Path(dataset.load(i).name).stem for i in range(len(dataset))]
        for split in ('b', 'middle', 'listed')
        for dataset in [load_dataset(path, split)]
    }
    assert names == {'b': ['00', '01'], 'middle': ['01', '02'], 'listed': ['02', '00']}
    assert load_dataset(path, 'b').load(0).fx == 7 and load_dataset(path, 'middle').load(0).fx == 5


def test_variables_come_from_argument_environment_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """${name} is looked up in this order, and a name without value is an error."""
    write_streets(tmp_path / 'x', 1)
    path = dataset_file(
        tmp_path / 'set.yaml',
        variables={'place': '${top}/x'},
        root='${place}',
        splits={'all': {}},
    )
    with pytest.raises(HydranetError, match='HYDRANET_TOP'):
        load_dataset(path, 'all')
    monkeypatch.setenv('HYDRANET_TOP', str(tmp_path))
    assert len(load_dataset(path, 'all')) == 1
    monkeypatch.setenv('HYDRANET_PLACE', str(tmp_path / 'nowhere'))
    with pytest.raises(HydranetError, match='nowhere'):
        load_dataset(path, 'all')
    assert len(load_dataset(path, 'all', {'place': str(tmp_path / 'x')})) == 1


@pytest.mark.parametrize(
    ('file', 'content', 'message'),
    [
        ('image/000.png', b'', 'image/000.png is damaged'),
        ('image/000.png', b'\x89PNG\r\n\x1a\nxx', 'image/000.png is damaged'),
        ('segmentation/000.png', b'no', 'segmentation/000.png is damaged'),
        ('depth/000.png', b'no', 'depth/000.png is damaged'),
    ],
)
def test_a_corrupt_file_is_named(tmp_path: Path, file: str, content: bytes, message: str) -> None:
    """Which file, and what to do, in one sentence."""
    path = write_streets(tmp_path, 1)
    (tmp_path / file).write_bytes(content)
    dataset = load_dataset(path, 'all')
    with pytest.raises(HydranetError, match=message) as caught:
        dataset.load(0)
    assert '\n' not in str(caught.value)


def test_wrong_content_is_named(tmp_path: Path) -> None:
    """Ids beyond the label set, 8-bit depth, labels of another size, colour labels."""
    path = write_streets(tmp_path, 1)
    labels = tmp_path / 'segmentation' / '000.png'
    write_image(labels, np.full((64, 96), 12, np.uint8))
    with pytest.raises(HydranetError, match=r'000\.png holds the value 12'):
        load_dataset(path, 'all').load(0)
    write_image(labels, np.zeros((64, 95), np.uint8))
    with pytest.raises(HydranetError, match=r'segmentation of .* is 95x64'):
        load_dataset(path, 'all').load(0)
    write_image(labels, np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(HydranetError, match='3 channels'):
        load_dataset(path, 'all').load(0)
    write_image(labels, np.zeros((64, 96), np.uint8))
    write_image(tmp_path / 'depth' / '000.png', np.zeros((64, 96), np.uint8))
    with pytest.raises(HydranetError, match='16-bit integers or 32-bit floats'):
        load_dataset(path, 'all').load(0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'colour': 1}, "no key 'colour'"),
        ({'splits': 3}, r'splits must be of type'),
        ({'reader': 'tape'}, "the reader 'tape'"),
        ({'root': '/nowhere'}, 'no folder /nowhere/image'),
        ({'depth': {}}, "lacks the key 'units_per_metre'"),
        ({'segmentation': {'label_set': 'x'}}, "label set 'x'"),
    ],
)
def test_wrong_dataset_files_are_explained(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    """Each fault names the file and the key."""
    write_streets(tmp_path, 1)
    content = {'root': str(tmp_path), 'splits': {'all': {}}, **change}
    path = dataset_file(tmp_path / 'set.yaml', **content)
    with pytest.raises(HydranetError, match=message):
        load_dataset(path, 'all')
    with pytest.raises(HydranetError):
        load_dataset(path, 'none')


def test_colour_labels_by_the_label_sets_table(tmp_path: Path) -> None:
    """KITTI-6 as painted pictures: table[id], black is void, another colour is an error."""
    labels = load_label_set('kitti6')
    ids = np.arange(7).repeat(10).reshape(7, 10)
    table = np.vstack([labels.colors, [[0, 0, 0]]]).astype(np.uint8)
    write_image(tmp_path / 'image' / 'a.png', np.zeros((7, 10, 3), np.uint8))
    write_image(tmp_path / 'segmentation' / 'a.png', table[ids])
    path = dataset_file(
        tmp_path / 'set.yaml',
        root=str(tmp_path),
        splits={'all': {}},
        segmentation={'label_set': 'kitti6', 'colors': True},
    )
    expected = np.where(ids == 6, 255, ids)
    np.testing.assert_array_equal(load_dataset(path, 'all').load(0).segmentation, expected)
    write_image(tmp_path / 'segmentation' / 'a.png', table[ids] + np.uint8(1))
    with pytest.raises(HydranetError, match='holds the colour'):
        load_dataset(path, 'all').load(0)


def test_normals_are_unit_vectors_or_unknown(tmp_path: Path) -> None:
    """127.5 (1 + n); 127, 127, 127 is unknown."""
    stored = np.full((4, 5, 3), 127, np.uint8)
    stored[:2] = (128, 0, 128)
    write_image(tmp_path / 'image' / 'a.png', np.zeros((4, 5, 3), np.uint8))
    write_image(tmp_path / 'normals' / 'a.png', stored)
    path = dataset_file(tmp_path / 'set.yaml', root=str(tmp_path), splits={'all': {}}, normals={})
    normals = load_dataset(path, 'all').load(0).normals
    assert normals is not None and np.isnan(normals[2:]).all()
    np.testing.assert_allclose(normals[:2], np.broadcast_to([0, -1, 0], (2, 5, 3)), atol=0.01)
    # Red shows left, green forward, blue up.
    content = {'root': str(tmp_path), 'splits': {'all': {}}}
    path = dataset_file(tmp_path / 'b.yaml', **content, normals={'axes': ['-x', 'z', '-y']})
    turned = load_dataset(path, 'all').load(0).normals
    assert turned is not None and np.isnan(turned[2:]).all()
    np.testing.assert_allclose(turned[:2], np.broadcast_to([0, 0, -1], (2, 5, 3)), atol=0.01)
    path = dataset_file(tmp_path / 'c.yaml', **content, normals={'axes': ['x', 'x', 'z']})
    with pytest.raises(HydranetError, match='x, y and z in any order'):
        load_dataset(path, 'all')


@pytest.fixture
def nyud(tmp_path: Path) -> Path:
    """Write three frames of NYUDv2 as the labelled .mat has them, its mapping and its split."""
    from scipy.io import savemat

    rng = np.random.default_rng(1)
    with h5py.File(tmp_path / 'labeled.mat', 'w') as file:
        # MATLAB's H x W x 3 x N is N x 3 x W x H in HDF5.
        file['images'] = rng.integers(0, 256, (3, 3, 12, 8), dtype=np.uint8)
        file['depths'] = rng.uniform(0.5, 12.0, (3, 12, 8)).astype(np.float32)
        file['labels'] = rng.integers(0, 895, (3, 12, 8), dtype=np.uint16)
    mapping = 1 + np.arange(894) % 40
    savemat(tmp_path / 'classMapping40.mat', {'mapClass': mapping[None].astype(np.uint8)})
    savemat(tmp_path / 'splits.mat', {'trainNdxs': [[1], [3]], 'testNdxs': [[2]]})
    return dataset_file(
        tmp_path / 'nyud.yaml',
        reader='nyud',
        labeled=str(tmp_path / 'labeled.mat'),
        classes=str(tmp_path / 'classMapping40.mat'),
        splits=dict.fromkeys(('train', 'test'), str(tmp_path / 'splits.mat')),
    )


def test_nyud_mat(nyud: Path) -> None:
    """Axes turned back, 894 classes to 40 from 0, frames counted from 1, beyond 10 m unknown."""
    train, test = load_dataset(nyud, 'train'), load_dataset(nyud, 'test')
    assert (len(train), len(test)) == (2, 1)
    with h5py.File(nyud.parent / 'labeled.mat') as file:
        image, depth, labels = (file[key][2] for key in ('images', 'depths', 'labels'))
    sample = train.load(1)
    assert sample.image.shape == (8, 12, 3)
    row, column = 5, 9
    np.testing.assert_array_equal(sample.image[row, column], image[:, column, row])
    assert sample.segmentation is not None and sample.depth is not None
    expected = np.where(labels == 0, 255, (labels.astype(int) - 1) % 40).T
    np.testing.assert_array_equal(sample.segmentation, expected)
    np.testing.assert_array_equal(np.isnan(sample.depth), depth.T > 10)
    assert sample.depth[row, column] == depth[column, row] or depth[column, row] > 10


def test_nyud_files_that_do_not_fit_are_named(nyud: Path, tmp_path: Path) -> None:
    """A mapping too short, frames outside the file, a file that is not HDF5."""
    content = yaml.safe_load(nyud.read_text())
    short = tmp_path / 'short.txt'
    short.write_text('\n'.join('1' * 5))
    with pytest.raises(HydranetError, match='mapping ends at 5'):
        load_dataset(
            dataset_file(tmp_path / 'a.yaml', **{**content, 'classes': str(short)}), 'train'
        ).load(0)
    beyond = tmp_path / 'frames.txt'
    beyond.write_text('4\n')
    with pytest.raises(HydranetError, match='outside 1 to 3'):
        load_dataset(
            dataset_file(tmp_path / 'b.yaml', **{**content, 'splits': {'x': str(beyond)}}), 'x'
        )
    with pytest.raises(HydranetError, match='HDF5'):
        load_dataset(
            dataset_file(tmp_path / 'c.yaml', **{**content, 'labeled': str(short)}), 'train'
        )


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Write two KITTI frames, one with ground truth, and the split in both usual forms."""
    drive = '2011_09_26/2011_09_26_drive_0002_sync'
    for number in (69, 70):
        name = f'{number:010d}.png'
        write_image(
            tmp_path / 'raw' / drive / 'image_02' / 'data' / name, np.zeros((20, 30, 3), np.uint8)
        )
    depth = np.zeros((20, 30), np.uint16)
    depth[10:, :] = 25 * 256
    depth[15:, :] = 90 * 256
    truth = 'val/2011_09_26_drive_0002_sync/proj_depth/groundtruth/image_02/0000000069.png'
    write_image(tmp_path / 'depth' / truth, depth)
    (tmp_path / 'raw/2011_09_26/calib_cam_to_cam.txt').write_text(
        'calib_time: 09-Jan-2012 13:57:47\n'
        'P_rect_02: 7.215377e+02 0.0 6.095593e+02 4.485728e+01 0.0 7.2e+02 1.7e+02 0.2\n'
    )
    (tmp_path / 'monodepth.txt').write_text(f'{drive} 69 l\n{drive} 70 l\n')
    (tmp_path / 'bts.txt').write_text(
        f'{drive}/image_02/data/0000000069.png {truth[4:]} 721.5377\n'
        f'{drive}/image_02/data/0000000070.png None 721.5377\n'
    )
    return dataset_file(
        tmp_path / 'kitti.yaml',
        reader='kitti_depth',
        raw=str(tmp_path / 'raw'),
        depth=str(tmp_path / 'depth'),
        splits={form: str(tmp_path / f'{form}.txt') for form in ('monodepth', 'bts', 'absent')},
    )


@pytest.mark.parametrize('form', ['monodepth', 'bts'])
def test_kitti_depth(kitti: Path, form: str) -> None:
    """Both forms of split file give the same: uint16 / 256 m to 80 m, fx, missing depth."""
    dataset = load_dataset(kitti, form)
    first, second = dataset.load(0), dataset.load(1)
    assert first.fx == pytest.approx(721.5377) and second.fx == pytest.approx(721.5377)
    assert first.depth is not None and second.depth is None
    assert np.isnan(first.depth[:10]).all() and np.isnan(first.depth[15:]).all()
    assert (first.depth[10:15] == 25.0).all()
    assert dataset.tasks(0) == {'depth'} and dataset.tasks(1) == frozenset()


def test_kitti_splits_that_do_not_fit_are_named(kitti: Path) -> None:
    """The line at fault."""
    listing = kitti.parent / 'absent.txt'
    with pytest.raises(HydranetError, match=r'absent\.txt'):
        load_dataset(kitti, 'absent')
    listing.write_text('2011_09_26/2011_09_26_drive_0002_sync 71 l\n')
    with pytest.raises(HydranetError, match=r'line 1 names .*0000000071'):
        load_dataset(kitti, 'absent')
    listing.write_text('\none two\n')
    with pytest.raises(HydranetError, match='line 2 is neither'):
        load_dataset(kitti, 'absent')


def test_cityscapes(tmp_path: Path) -> None:
    """labelIds become trainIds, what is not evaluated is ignored, fx is the camera's."""
    frame = 'val/ulm/ulm_000000_000019'
    write_image(tmp_path / f'leftImg8bit/{frame}_leftImg8bit.png', np.zeros((5, 7, 3), np.uint8))
    ids = np.arange(35).reshape(5, 7).astype(np.uint8)
    ids[4, 6] = 255
    write_image(tmp_path / f'gtFine/{frame}_gtFine_labelIds.png', ids)
    camera = tmp_path / f'camera/{frame}_camera.json'
    camera.parent.mkdir(parents=True)
    camera.write_text(json.dumps({'intrinsic': {'fx': 2262.52}}))
    path = dataset_file(tmp_path / 'c.yaml', reader='cityscapes', root=str(tmp_path))
    dataset: Dataset = load_dataset(path, 'val')
    sample = dataset.load(0)
    assert sample.fx == 2262.52 and sample.segmentation is not None
    flat = sample.segmentation.ravel()
    assert (flat[7], flat[8], flat[11], flat[26], flat[33]) == (0, 1, 2, 13, 18)
    assert sorted(flat[flat != 255]) == list(range(19))
    with pytest.raises(HydranetError, match='train'):
        load_dataset(path, 'train')


def test_kitti_semantics_and_packs_by_the_shipped_dataset_files(tmp_path: Path) -> None:
    """The 200 semantics images by benchmark ids, and NYUD packs with depth / 5000."""
    ids = np.array([[7, 8, 11, 23, 26, 0]], np.uint8).repeat(2, axis=0)
    root = tmp_path / 'kitti_semantics' / 'training'
    write_image(root / 'image_2' / '000000_10.png', np.zeros((2, 6, 3), np.uint8))
    write_image(root / 'semantic' / '000000_10.png', ids)
    variables = {'data': str(tmp_path)}
    sample = load_dataset('kitti_semantics', 'all', variables).load(0)
    assert sample.segmentation is not None
    assert sample.segmentation[0].tolist() == [2, 3, 1, 0, 5, 255]

    pack = tmp_path / 'nyud_pack'
    write_image(pack / 'images' / '000433.png', np.zeros((2, 6, 3), np.uint8))
    write_image(pack / 'masks' / '000433.png', np.full((2, 6), 255, np.uint8))
    write_image(pack / 'depth' / '000433.png', np.full((2, 6), 10000, np.uint16))
    (pack / 'train.txt').write_text('000433\n')
    sample = load_dataset('nyud_pack', 'train', variables).load(0)
    assert sample.depth is not None and sample.segmentation is not None
    assert (sample.depth == 2.0).all() and (sample.segmentation == 255).all()


def test_splits_by_ranges_and_without_another_split(tmp_path: Path) -> None:
    """A split of ranges and the split without it have each image once."""
    for number in range(1, 8):
        write_image(tmp_path / 'image' / f'{number:03}.png', street(number)['image'])
    path = dataset_file(
        tmp_path / 'set.yaml',
        name='set',
        root=str(tmp_path),
        splits={
            'validation': {'ranges': [['002', '003'], ['006', '006']]},
            'fit': {'without': 'validation'},
            'lost': {'without': 'nothing'},
        },
    )
    stems = {
        split: [record.stem for record in load_dataset(path, split).records]
        for split in ('validation', 'fit')
    }
    assert stems == {'validation': ['002', '003', '006'], 'fit': ['001', '004', '005', '007']}
    with pytest.raises(HydranetError, match='nothing'):
        load_dataset(path, 'lost')


@pytest.mark.parametrize('name', ['mask0.png', '0.npy'])
def test_annotations_that_fit_no_image_are_refused(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / 'image' / '0.png', street(0)['image'])
    write_image(tmp_path / 'segmentation' / 'x.png', street(0)['segmentation'])
    (tmp_path / 'segmentation' / 'x.png').rename(tmp_path / 'segmentation' / name)
    path = dataset_file(
        tmp_path / 'set.yaml',
        root=str(tmp_path),
        splits={'all': {}},
        segmentation={'label_set': 'camvid11'},
    )
    with pytest.raises(HydranetError, match=rf'{name} and 0\.png must be equal'):
        load_dataset(path, 'all')
    # Not annotated yet: a folder of distilled annotations before the first one.
    (tmp_path / 'segmentation' / name).unlink()
    (tmp_path / 'segmentation' / 'manifest.json').touch()
    assert load_dataset(path, 'all').tasks(0) == frozenset()


def test_numbers_are_in_natural_order(tmp_path: Path) -> None:
    for number in (0, 1, 2, 9, 10, 11):
        write_image(tmp_path / 'image' / f'{number}.png', street(0)['image'])
    splits = {'all': {}, 'middle': {'first': '2', 'last': '10'}, 'rest': {'without': 'middle'}}
    path = dataset_file(tmp_path / 'set.yaml', root=str(tmp_path), splits=splits)
    names = {
        split: [Path(dataset.load(i).name).stem for i in range(len(dataset))]
        for split in splits
        for dataset in [load_dataset(path, split)]
    }
    assert names['all'] == ['0', '1', '2', '9', '10', '11']
    assert names['middle'] == ['2', '9', '10'] and names['rest'] == ['0', '1', '11']
    frames = open_source(str(tmp_path / 'image')).frames()
    assert [frame.name for frame in frames] == names['all']
