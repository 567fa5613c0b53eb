# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests that the recipes that come with the package are whole, without their data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from hydranet_ros.data.configuration import substitute
from hydranet_ros.data.media import write_image
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.data.readers import READERS
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.resources import config_file, read_yaml, share_directory
from hydranet_ros.training.bundle_metadata import metadata_of
from hydranet_ros.training.recipe import (
    load_recipe,
)

CONFIG = share_directory() / 'config'
RECIPES = sorted(path.stem for path in (CONFIG / 'training').glob('*.yaml'))
DATASETS = sorted(path.stem for path in (CONFIG / 'datasets').glob('*.yaml'))
NOWHERE = {
    'data': '/nowhere',
    'distilled': '/nowhere',
    'imagenet': '/nowhere/m.pt',
    'start': '/nowhere/m.safetensors',
}
DATA = Path(os.environ.get('HYDRANET_DATA', CONFIG.parents[1] / 'shared' / 'data'))


@pytest.mark.parametrize('name', RECIPES)
def test_recipes_are_valid_and_their_parts_exist(name: str) -> None:
    """A recipe loads, describes a model, and names datasets and splits that there are."""
    recipe, _ = load_recipe(name, [f'{key}={value}' for key, value in NOWHERE.items()])
    assert recipe.name == name
    metadata = metadata_of(recipe)
    assert metadata.tasks == recipe.channels()
    used = [(part.dataset, part.split) for part in recipe.mixture]
    used += [(part.dataset, part.split) for part in recipe.evaluation]
    for dataset, split in used:
        content = read_yaml(config_file('datasets', dataset))
        assert split in content.get('splits', {split}), (dataset, split)
        labels = content.get('segmentation', {}).get('label_set')
        assert labels is None or labels in recipe.label_sets, dataset
    if recipe.best:
        place, figure = recipe.best.split()
        assert place in {f'{part.dataset}/{part.split}' for part in recipe.evaluation}
        assert figure
    not_run = 'Not run by us' in (CONFIG / 'training' / f'{name}.yaml').read_text()
    assert not_run == (name in {'nyud', 'nyud_three_tasks', 'kitti', 'nyud_kitti'})


@pytest.mark.parametrize('name', DATASETS)
def test_dataset_files_are_valid(name: str) -> None:
    """A dataset file has a known reader, known label sets and no path of its author's machine."""
    path = CONFIG / 'datasets' / f'{name}.yaml'
    content = substitute(read_yaml(path), NOWHERE, str(path))
    assert content.get('reader', 'folders') in READERS
    for place in (content, *content.get('splits', {}).values()):
        segmentation = place.get('segmentation') if isinstance(place, dict) else None
        if segmentation:
            load_label_set(segmentation['label_set'])
    assert '/home' not in path.read_text() and '/work' not in path.read_text()


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason='needs the research images (HYDRANET_DATA)')
@pytest.mark.parametrize(
    ('dataset', 'split', 'count', 'has_depth'),
    [
        ('camvid', 'train', 367, False),
        ('camvid', 'val', 101, False),
        ('kitti_odometry', 'train', 509, False),
        ('kitti_stereo_grey', 'train', 51, True),
        ('kitti_stereo_grey', 'test', 51, True),
        ('sevenscenes_kitchen', 'train', 300, True),
        ('sevenscenes_kitchen', 'test', 75, True),
        ('nyud', 'train', 795, True),
        ('nyud', 'validation', 79, True),
        ('nyud', 'fit', 716, True),
        ('nyud', 'test', 327, True),
    ],
)
def test_research_images_are_as_described(
    dataset: str, split: str, count: int, has_depth: bool, tmp_path: Path
) -> None:
    """Numbers of images, a known camera, and depth in sensible metres unless it is distilled."""
    opened = load_dataset(dataset, split, {'data': str(DATA), 'distilled': str(tmp_path)})
    assert len(opened) == count
    sample = opened.load(count // 2)
    assert sample.fx
    assert (sample.depth is not None) == has_depth
    if sample.depth is None:
        return
    known = sample.depth[sample.depth > 0]
    assert known.min() > 0.3 and known.max() <= 256 and len(known) > 0.3 * sample.depth.size


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('tasks: [flow]', "task 'flow' is unknown"),
        ('tasks: [segmentation]', '`label_sets` must be given'),
        ('steps: 0', '`steps` is not positive'),
        ('stepz: 3', "no key 'stepz'"),
        ('steps: many', "steps must be of type int, not 'many'"),
        ('optimization: {method: lion}', "`optimization.method` is 'lion'"),
        ('optimization: {rate: 1}', r"optimization has no key 'rate'"),
        ('encoder: ${nowhere}', "needs the variable 'nowhere'"),
        ('mixture: []', '`mixture` needs datasets'),
        ('mixture: [{dataset: x, scale: [2, 1]}]', r'`scale` must be .* in its ingredient x'),
        ('mixture: [{dataset: x, stretch: {height: [0, 2]}}]', r'`stretch\.height` must be'),
        ('mixture: [{dataset: x, stretch: {horizon: 1.2}}]', r'horizon` is not between 0 and 1'),
    ],
)
def test_wrong_recipes_are_explained(tmp_path: Path, text: str, message: str) -> None:
    """Each fault in one sentence with the file or the key."""
    content = {'tasks': ['depth'], 'steps': 1, 'mixture': [{'dataset': 'x'}]}
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump({**content, **yaml.safe_load(text)}))
    with pytest.raises(HydranetError, match=message):
        load_recipe(path)


def test_paths_are_relative_to_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with recipe, dataset file, labels and images can be used from anywhere."""
    project, elsewhere = tmp_path / 'project', tmp_path / 'elsewhere'
    for folder in (project / 'images' / 'image', project / 'images' / 'segmentation', elsewhere):
        folder.mkdir(parents=True)
    write_image(project / 'images' / 'image' / '0.png', np.zeros((4, 6, 3), np.uint8))
    write_image(project / 'images' / 'segmentation' / '0.png', np.ones((4, 6), np.uint8))
    labels = {'name': 'own', 'classes': [{'name': n, 'color': [9, 9, 9]} for n in 'ab']}
    files = {
        'own.yaml': labels,
        'rooms.yaml': {
            'root': 'images',
            'splits': {'train': {}},
            'segmentation': {'label_set': 'own.yaml'},
        },
        'recipe.yaml': {
            'tasks': ['segmentation'],
            'label_sets': ['own.yaml'],
            'steps': 1,
            'mixture': [{'dataset': 'rooms.yaml'}],
            'evaluation': [{'dataset': 'rooms.yaml', 'split': 'train'}],
        },
    }
    for name, content in files.items():
        (project / name).write_text(yaml.safe_dump(content))
    for place in (elsewhere, project, tmp_path):
        monkeypatch.chdir(place)
        recipe, variables = load_recipe(os.path.relpath(project / 'recipe.yaml', place))
        assert recipe.channels() == {'segmentation': 2}
        for part in (*recipe.mixture, *recipe.evaluation):
            sample = load_dataset(part.dataset, part.split, variables).load(0)
            assert sample.segmentation is not None and sample.label_set in recipe.label_sets
    # Names of the package and paths of the command line are not files beside the recipe.
    (project / 'camvid').mkdir()
    (project / 'start.safetensors').touch()
    mixture = ['mixture=[{dataset: camvid}]', 'encoder=start.safetensors']
    recipe, _ = load_recipe(project / 'recipe.yaml', mixture)
    assert (recipe.mixture[0].dataset, recipe.encoder) == ('camvid', 'start.safetensors')
    # A file that is not beside the recipe is relative to the working directory.
    (project / 'rooms.yaml').rename(elsewhere / 'rooms.yaml')
    monkeypatch.chdir(elsewhere)
    recipe, _ = load_recipe(project / 'recipe.yaml')
    assert recipe.mixture[0].dataset == 'rooms.yaml'


def test_overrides(tmp_path: Path) -> None:
    """Values by dotted keys, in YAML; other keys are variables; nonsense is an error."""
    path = tmp_path / 'recipe.yaml'
    path.write_text('tasks: [depth]\nsteps: 1\nencoder: ${where}\nmixture: [{dataset: x}]\n')
    recipe, variables = load_recipe(
        path, ['steps=7', 'optimization.ema=0.5', 'crops=[[64, 80]]', 'where=a/b.pt']
    )
    assert (recipe.steps, recipe.optimization.ema, recipe.crops) == (7, 0.5, ((64, 80),))
    assert recipe.encoder == 'a/b.pt' and variables == {'where': 'a/b.pt'}
    with pytest.raises(HydranetError, match='write key=value'):
        load_recipe(path, ['steps'])
    with pytest.raises(HydranetError, match='no section'):
        load_recipe(path, ['where=x', 'steps.more=1'])


@pytest.mark.parametrize(
    ('override', 'sentence'),
    [
        ('stpes=5', r"'stpes' is neither a key .*; did you mean 'steps'"),
        ('imagnet=x.pt', r"'imagnet' .*; did you mean 'imagenet'"),
        ('optimization.emma=0.9', r"no key 'emma'.*; did you mean 'ema'"),
    ],
)
def test_a_misspelt_override_is_refused(override: str, sentence: str) -> None:
    given = ['data=/data', 'imagenet=weights.pt', 'distilled=/other', override]
    with pytest.raises(HydranetError, match=sentence):
        load_recipe('rooms', given)
