# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop as a whole, on two made-up images."""

from __future__ import annotations

from dataclasses import replace
import json
import os
from pathlib import Path
import signal
import sys

import numpy as np
import pytest
import torch
from training_data import small_recipe, street, write_streets
from training_runs import assert_same, state_of, train
import yaml

from hydranet_ros.camera.working_width import NATIVE
from hydranet_ros.cli.main import main
from hydranet_ros.data.image_files import read_rgb
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import load_bundle
from hydranet_ros.runtime.predictor import Predictor
from hydranet_ros.training.loop import STATE_NAME, Trainer
from hydranet_ros.training.recipe import (
    EvaluationData,
    Losses,
    Optimization,
)

pytestmark = pytest.mark.filterwarnings('ignore::UserWarning')


def test_two_images_are_learned_by_heart(tmp_path: Path) -> None:
    """From random weights to the labels and metres of two images, by `hydranet train`."""
    dataset = write_streets(tmp_path / 'data', 2)
    recipe = {
        'name': 'toy',
        'tasks': ['segmentation', 'depth'],
        'label_sets': ['camvid11'],
        'canonical_focal': 100.0,
        'crops': [[64, 96]],
        'batch': 2,
        'steps': 80,
        'mixture': [{'dataset': '${streets}', 'split': 'all', 'scale': [1, 1]}],
        'augmentation': dict.fromkeys(
            ('flip', 'brightness', 'contrast', 'gamma', 'saturation', 'white_balance'), 0
        ),
        'optimization': {
            'method': 'adamw',
            'encoder_rate': 2e-3,
            'decoder_rate': '2e-3',
            'schedule': 'step',
            'milestones': [0.8],
            'clip': 5.0,
        },
        'losses': {'weights': {'segmentation': 1, 'depth': 1}, 'depth_space': 'log'},
        'workers': 0,
        'evaluation': [{'dataset': '${streets}', 'split': 'all'}],
    }
    path = tmp_path / 'toy.yaml'
    path.write_text(yaml.safe_dump(recipe))
    output = tmp_path / 'run'
    # Settings may also follow options.
    command = ['train', str(path), f'streets={dataset}', '--accelerator', 'cpu', 'seed=3']
    assert main([*command, '--output', str(output)]) == 0

    bundle = load_bundle(output / 'toy.safetensors')
    assert bundle.metadata.canonical_focal == 100.0
    assert bundle.metadata.interpolation == 'bilinear'
    assert bundle.metadata.provenance['recipe']['seed'] == 3
    assert bundle.metadata.provenance['command'] == (
        'hydranet train …/toy.yaml streets=…/streets.yaml --accelerator cpu seed=3 --output …/run'
    )
    # Metadata tell the scale of objects: the camera's focal length, resized by 1.
    assert bundle.metadata.focal_range == pytest.approx((100.0, 100.0))
    assert bundle.metadata.provenance['data']['streets/all']['images'] == 2
    # Folders of the machine that trained mean nothing elsewhere.
    assert str(tmp_path) not in bundle.metadata.to_json()
    arrays = street(1)
    predictor = Predictor(bundle, device='cpu', working_width=NATIVE)
    prediction = predictor.predict(arrays['image'].astype(np.uint8), fx=100.0)
    twice = predictor.predict(arrays['image'].astype(np.uint8), fx=200.0)
    predictor.close()
    assert prediction.labels is not None and prediction.depth is not None
    assert np.mean(prediction.labels == arrays['segmentation']) > 0.93
    known = arrays['depth'] > 0
    error = np.abs(prediction.depth[known] / (arrays['depth'][known] / 256) - 1)
    assert np.median(error) < 0.1
    assert twice.depth is not None
    np.testing.assert_allclose(twice.depth, 2 * prediction.depth, rtol=1e-5)

    logged = [json.loads(line) for line in (output / 'log.jsonl').read_text().splitlines()]
    losses = [entry['loss'] for entry in logged if entry['group'] == 'training']
    assert losses[-1] < 0.3 * losses[0]
    evaluated = [entry for entry in logged if entry['group'] == 'streets/all']
    assert evaluated[-1]['mean_iou'] > 0.8 and evaluated[-1]['abs_rel'] < 0.2
    assert bundle.metadata.figures['streets/all']['mean_iou'] == evaluated[-1]['mean_iou']
    assert list((output / 'tensorboard').iterdir())
    pictures = sorted(output.glob('pictures/streets/all/*/*.png'))
    assert pictures and read_rgb(pictures[0]).shape[2] == 3


@pytest.mark.parametrize('method', ['sgd', 'adamw'])
def test_killed_training_resumes_to_the_same_weights(tmp_path: Path, method: str) -> None:
    """Stopped after 2 of 5 steps and gone on with, all is equal to the bit."""
    recipe = small_recipe(
        write_streets(tmp_path / 'data', 3, depth_from=1),
        steps=5,
        save_every=2,
        optimization=Optimization(method=method, ema=0.9, accumulate=2, freeze_batch_norm=False),
        losses=Losses(weighting='uncertainty'),
    )
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    train(recipe, whole)

    class Killed(Exception):
        pass

    trainer = Trainer(recipe, {}, broken, accelerator='cpu')
    save = trainer.save

    def save_and_die() -> None:
        save()
        raise Killed

    trainer.save = save_and_die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        trainer.run()
    torch.manual_seed(99)  # whatever happens in between
    train(recipe, broken)
    assert_same(state_of(whole), state_of(broken))


def test_asked_to_stop_it_saves_and_goes_on(tmp_path: Path) -> None:
    """SIGTERM ends the training after its step; the state is saved; run again, it completes."""
    recipe = small_recipe(write_streets(tmp_path / 'data', 2), steps=3, save_every=100)
    directory = tmp_path / 'run'
    trainer = Trainer(recipe, {}, directory, accelerator='cpu')
    log = trainer._log

    def log_and_ask(*values: object) -> None:
        log(*values)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGTERM)

    trainer._log = log_and_ask  # type: ignore[method-assign]
    assert trainer.run() is None
    assert trainer.step == 1
    assert train(recipe, directory).is_file()
    whole = tmp_path / 'whole'
    train(recipe, whole)
    assert_same(state_of(whole), state_of(directory))


def test_another_recipe_does_not_go_on(tmp_path: Path) -> None:
    """Only what does not change the training may differ; a damaged state is named."""
    recipe = small_recipe(write_streets(tmp_path / 'data', 2), steps=1)
    directory = tmp_path / 'run'
    train(recipe, directory)
    with pytest.raises(HydranetError, match=r'another recipe \(seed\)'):
        Trainer(replace(recipe, seed=7), {}, directory, accelerator='cpu')
    assert Trainer(replace(recipe, steps=9), {}, directory, accelerator='cpu').step == 1
    (directory / STATE_NAME).write_bytes(b'')
    with pytest.raises(HydranetError, match=r'last\.pt is damaged'):
        Trainer(recipe, {}, directory, accelerator='cpu')


def test_the_logged_loss_is_the_mean_of_the_accumulated_batches(tmp_path: Path) -> None:
    """With learning rates of zero, a step of two batches logs the mean of two steps of one."""
    recipe = small_recipe(write_streets(tmp_path / 'data', 3), steps=2, log_every=1)
    losses = {}
    for parts in (1, 2):
        still = Optimization(encoder_rate=0.0, decoder_rate=0.0, accumulate=parts)
        directory = tmp_path / str(parts)
        train(replace(recipe, optimization=still, steps=2 // parts), directory)
        log = [json.loads(line) for line in (directory / 'log.jsonl').read_text().splitlines()]
        losses[parts] = [entry['loss'] for entry in log if entry['group'] == 'training']
    assert losses[1][0] != losses[1][1]
    assert losses[2] == [pytest.approx(np.mean(losses[1]), rel=1e-5)]


def test_a_loss_that_is_not_finite_names_the_batch(tmp_path: Path) -> None:
    """Training stops at once and says which files it was at."""
    recipe = small_recipe(
        write_streets(tmp_path / 'data', 2), optimization=Optimization(decoder_rate=1e25)
    )
    with pytest.raises(HydranetError, match=r'not finite at step \d with .*00\d\.png') as caught:
        train(recipe, tmp_path / 'run')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('workers', 'cache'), [(0, True), (0, False), (1, False)])
def test_a_corrupt_file_stops_the_training_in_one_sentence(
    tmp_path: Path, workers: int, cache: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also from a loader process: its name on stderr, no traceback, exit status 1."""
    dataset = write_streets(tmp_path / 'data', 2)
    (tmp_path / 'data' / 'depth' / '001.png').write_bytes(b'damaged')
    recipe = tmp_path / 'recipe.yaml'
    recipe.write_text(
        f'tasks: [depth]\ncrops: [[64, 96]]\nbatch: 2\nsteps: 2\nworkers: {workers}\n'
        f'cache: {str(cache).lower()}\ncanonical_focal: 100\n'
        f'mixture: [{{dataset: {dataset}, split: all}}]\n'
    )
    output = str(tmp_path / 'run')
    assert main(['train', str(recipe), '--output', output, '--accelerator', 'cpu']) == 1
    stderr = capfd.readouterr().err
    assert 'depth/001.png is damaged' in stderr and 'Traceback' not in stderr


def test_workers_change_nothing(tmp_path: Path) -> None:
    """Loaded by another process, every batch is the same."""
    dataset = write_streets(tmp_path / 'data', 3)
    for workers in (0, 1):
        train(small_recipe(dataset, steps=2, workers=workers), tmp_path / str(workers))
    one, other = (state_of(tmp_path / str(workers)) for workers in (0, 1))
    assert_same(one, other)


def test_best_is_kept_and_strides_hold(tmp_path: Path) -> None:
    """An evaluation in between writes the best model with its figures; the last takes all."""
    dataset = write_streets(tmp_path / 'data', 3)
    recipe = small_recipe(
        dataset,
        steps=2,
        evaluate_every=1,
        evaluation=(EvaluationData(str(dataset), 'all', tasks=('depth',), stride=2),),
        best='streets/all abs_rel',
    )
    train(recipe, tmp_path / 'run')
    best = load_bundle(tmp_path / 'run' / 'small_best.safetensors').metadata.figures
    log = [json.loads(line) for line in (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()]
    values = [entry['abs_rel'] for entry in log if entry['group'] == 'streets/all']
    assert len(values) == 2 and best['streets/all']['abs_rel'] == min(values)
    complete = [entry for entry in log if entry['group'] == 'streets/all complete']
    last = load_bundle(tmp_path / 'run' / 'small.safetensors').metadata.figures
    assert [entry['abs_rel'] for entry in complete] == [last['streets/all']['abs_rel']]
    assert 'mean_iou' not in best['streets/all']

    train(replace(recipe, complete=False), tmp_path / 'short')
    text = (tmp_path / 'short' / 'log.jsonl').read_text()
    assert 'streets/all' in text and 'complete' not in text


def test_batches_without_any_annotation_train_nothing(tmp_path: Path) -> None:
    """A batch in which nothing is annotated trains nothing, and does not fail."""
    root = tmp_path / 'data'
    dataset = write_streets(root, 2)
    for path in (root / 'depth').iterdir():
        path.unlink()
    recipe = small_recipe(dataset, tasks=('depth',), label_sets=(), kept=('depth',), steps=2)
    train(recipe, tmp_path / 'run')
    log = (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()
    assert [json.loads(line)['loss'] for line in log] == [0.0, 0.0]


def test_a_kept_head_stays_as_it_is(tmp_path: Path) -> None:
    """Neither gradients nor weight decay change the head of a task without data."""
    dataset = write_streets(tmp_path / 'data', 2)
    recipe = small_recipe(dataset, steps=2)
    first = load_bundle(train(recipe, tmp_path / 'first'))
    for path in (tmp_path / 'data' / 'depth').iterdir():
        path.unlink()
    second = replace(recipe, encoder=str(first.path), kept=('depth',))
    weights = load_bundle(train(second, tmp_path / 'second')).weights
    same = {key for key, value in weights.items() if np.array_equal(value, first.weights[key])}
    assert {'depth.weight', 'depth.bias', 'pre_depth.weight'} <= same
    assert 'segm.weight' not in same


def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the training extra: which package, and how to get it."""
    monkeypatch.setitem(sys.modules, 'lightning_fabric', None)
    for module in ('loop', 'distributed'):
        monkeypatch.delitem(sys.modules, f'hydranet_ros.training.{module}')
    assert main(['train', 'street_kitchen']) == 1
    assert "pip install 'hydranet_ros[runtime,training]'" in capsys.readouterr().err
