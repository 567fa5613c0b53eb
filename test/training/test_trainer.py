# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the training loop as a whole, on two made-up images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
import json
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time

from checkout import CHECKOUT
import numpy as np
import pytest
import torch
from training_data import small_recipe, street, write_image, write_streets
import yaml

from hydranet_ros.cli.main import main
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import load_bundle
from hydranet_ros.runtime.predictor import Predictor
from hydranet_ros.training.batches import TrainingBatches
from hydranet_ros.training.checkpoint import TrainingState
from hydranet_ros.training.initial_weights import typical_depth
from hydranet_ros.training.loop import STATE_NAME, Trainer
from hydranet_ros.training.optimization import AveragedWeights, rate_factor
from hydranet_ros.training.recipe import (
    Examination,
    Ingredient,
    load_recipe,
    Losses,
    Optimization,
    Recipe,
)

pytestmark = pytest.mark.filterwarnings('ignore::UserWarning')


def train(recipe: Recipe, directory: Path) -> Path:
    """Run a recipe to its end."""
    model = Trainer(recipe, {}, directory, accelerator='cpu').run()
    assert model is not None
    return model


def state_of(directory: Path) -> Mapping[str, torch.Tensor]:
    """Return the network's weights in a training's last state."""
    content = torch.load(directory / STATE_NAME, weights_only=True)
    return {**content['network'], **{f'average.{k}': v for k, v in content['average'].items()}}


def assert_same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    """Check that two states are equal to the bit."""
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key


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
    command = ['train', str(path), f'streets={dataset}', 'seed=3', '--accelerator', 'cpu']
    assert main([*command, '--output', str(output)]) == 0

    bundle = load_bundle(output / 'toy.safetensors')
    assert bundle.metadata.canonical_focal == 100.0
    assert bundle.metadata.interpolation == 'bilinear'
    assert bundle.metadata.provenance['recipe']['seed'] == 3
    assert bundle.metadata.provenance['data']['streets/all']['images'] == 2
    # Folders of the machine that trained mean nothing elsewhere.
    assert str(tmp_path) not in bundle.metadata.to_json()
    arrays = street(1)
    predictor = Predictor(bundle, device='cpu')
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


def test_the_recipes_files_may_lie_elsewhere(tmp_path: Path) -> None:
    """A training goes on on another machine, where the same files have other paths."""
    recipe = {'encoder': '/a/w.pt', 'mixture': ({'dataset': '/a/streets.yaml'},)}
    state = TrainingState(1, {}, {}, {}, 0, {}, torch.zeros(1), None, '', recipe)
    moved = {'encoder': '/b/w.pt', 'mixture': ({'dataset': '/b/streets.yaml'},)}
    state.require_recipe(moved, tmp_path)
    with pytest.raises(HydranetError, match=r'another recipe \(encoder\)'):
        state.require_recipe({**moved, 'encoder': '/a/v.pt'}, tmp_path)


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


def test_batches_take_the_crops_in_turns(tmp_path: Path) -> None:
    """Each batch has one size; the sizes come one after the other."""
    dataset = write_streets(tmp_path / 'data', 2)
    recipe = small_recipe(dataset, crops=((64, 96), (32, 128)))
    batches = TrainingBatches([load_dataset(dataset, 'all', {})], recipe)
    sizes = [tuple(batches[number].image.shape[1:3]) for number in range(4)]
    assert sizes == [(64, 96), (32, 128)] * 2


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """DDP over gloo: a batch divided among two gives the weights of one process with all of it."""
    # Only every other image has depth, so that the processes' counts of valid pixels differ.
    dataset = write_streets(tmp_path / 'data', 3, depth_from=2)
    recipe = tmp_path / 'recipe.yaml'
    recipe.write_text(
        'tasks: [segmentation, depth]\nlabel_sets: [camvid11]\ncrops: [[64, 96]]\nbatch: 4\n'
        'steps: 3\nworkers: 0\nlog_every: 1\ncanonical_focal: 100\nthreads: 1\nsave_every: 3\n'
        'optimization: {clip: 1.0, momentum: 0.9}\n'
        f'mixture: [{{dataset: {dataset}, split: all}}]\n'
    )
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    common = {**os.environ, 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    common['PYTHONPATH'] = str(CHECKOUT)
    command = [sys.executable, '-m', 'hydranet_ros.cli.main', 'train', str(recipe)]
    command += ['--accelerator', 'cpu', '--output']
    together = [
        subprocess.Popen(
            [*command, str(tmp_path / 'two')],
            env={**common, 'TORCHELASTIC_RUN_ID': 'test', 'WORLD_SIZE': '2', 'RANK': rank}
            | {'LOCAL_RANK': rank, 'LOCAL_WORLD_SIZE': '2', 'GROUP_RANK': '0'},
        )
        for rank in ('0', '1')
    ]
    train(load_recipe(recipe)[0], tmp_path / 'one')
    deadline = time.monotonic() + 280
    try:
        ended = [process.wait(deadline - time.monotonic()) for process in together]
    finally:
        for process in together:
            process.kill()
    assert ended == [0, 0]
    one, two = state_of(tmp_path / 'one'), state_of(tmp_path / 'two')
    for key, value in one.items():
        if value.is_floating_point():
            torch.testing.assert_close(two[key], value, rtol=1e-3, atol=1e-5, msg=key)
    logs = [(tmp_path / run / 'log.jsonl').read_text() for run in ('one', 'two')]
    losses = [json.loads(log.splitlines()[0])['loss'] for log in logs]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_best_is_kept_and_strides_hold(tmp_path: Path) -> None:
    """An evaluation in between writes the best model with its figures; the last takes all."""
    dataset = write_streets(tmp_path / 'data', 3)
    recipe = small_recipe(
        dataset,
        steps=2,
        evaluate_every=1,
        evaluation=(Examination(str(dataset), 'all', tasks=('depth',), stride=2),),
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


def test_schedules() -> None:
    """Poly falls from one to zero, steps multiply, warm-up rises."""
    poly = Optimization(power=0.9)
    assert rate_factor(0, 100, poly) == 1.0
    assert rate_factor(50, 100, poly) == pytest.approx(0.5**0.9)
    assert rate_factor(100, 100, poly) == 0.0
    steps = Optimization(schedule='step', milestones=(0.5, 0.8), factor=0.1)
    factors = [rate_factor(step, 10, steps) for step in range(10)]
    assert factors == pytest.approx([1] * 5 + [0.1] * 3 + [0.01] * 2)
    warm = Optimization(warmup_steps=4, power=1)
    rising = [rate_factor(step, 1000, warm) for step in range(5)]
    assert rising == sorted(rising) and 0 < rising[0] < 0.25 and rising[4] > 0.99


def test_average_of_constant_weights_is_them_and_it_lags() -> None:
    """The running average forgets the start and follows with its decay."""
    module = torch.nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        module.weight.zero_()
    average = AveragedWeights(module, decay=0.9)
    with torch.no_grad():
        module.weight.fill_(1.0)
    seen = []
    for _ in range(100):
        average.update(module)
        seen.append(float(average.state_dict()['weight'].mean()))
    assert seen == sorted(seen) and seen[0] > 0.5 and seen[-1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('tasks: [flow]', "task 'flow' is unknown"),
        ('tasks: [segmentation]', 'label_sets are needed'),
        ('steps: 0', 'steps is not positive'),
        ('stepz: 3', "no key 'stepz'"),
        ('steps: many', "steps must be of type int, not 'many'"),
        ('optimization: {method: lion}', "optimization.method is 'lion'"),
        ('optimization: {rate: 1}', r"optimization has no key 'rate'"),
        ('encoder: ${nowhere}', "needs the variable 'nowhere'"),
        ('mixture: []', 'mixture needs datasets'),
        ('mixture: [{dataset: x, scale: [2, 1]}]', r'scale is not .* in its ingredient x'),
        ('mixture: [{dataset: x, stretch: {height: [0, 2]}}]', r'stretch\.height is not'),
        ('mixture: [{dataset: x, stretch: {horizon: 1.2}}]', r'horizon is not between 0 and 1'),
    ],
)
def test_wrong_recipes_are_explained(tmp_path: Path, text: str, message: str) -> None:
    """Each fault in one sentence with the file or the key."""
    content = {'tasks': ['depth'], 'steps': 1, 'mixture': [{'dataset': 'x'}]}
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump({**content, **yaml.safe_load(text)}))
    with pytest.raises(HydranetError, match=message):
        load_recipe(path)


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


def test_batches_without_any_annotation_train_nothing(tmp_path: Path) -> None:
    """A batch in which nothing is annotated trains nothing, and does not fail."""
    root = tmp_path / 'data'
    dataset = write_streets(root, 2)
    for path in (root / 'depth').iterdir():
        path.unlink()
    write_image(root / 'depth' / '999.png', street(0)['depth'])
    recipe = small_recipe(dataset, tasks=('depth',), label_sets=(), steps=2)
    train(recipe, tmp_path / 'run')
    log = (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()
    assert [json.loads(line)['loss'] for line in log] == [0.0, 0.0]


def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the training extra: which package, and how to get it."""
    monkeypatch.setitem(sys.modules, 'lightning_fabric', None)
    for module in ('loop', 'distributed'):
        monkeypatch.delitem(sys.modules, f'hydranet_ros.training.{module}')
    assert main(['train', 'street_kitchen']) == 1
    assert "pip install 'hydranet_ros[runtime,training]'" in capsys.readouterr().err


def test_training_starts_at_the_depth_of_its_data(tmp_path: Path) -> None:
    """Geometric mean of what the first samples are taught, in canonical metres."""
    dataset = write_streets(tmp_path, 2)
    recipe = small_recipe(
        dataset,
        mixture=(Ingredient(str(dataset), 'all', scale=(1.0, 1.0)),),
        canonical_focal=200.0,
    )
    data = load_dataset(dataset, 'all')
    typical = typical_depth(recipe, [data])
    depths = [data.load(index).depth for index in range(2)]
    assert 2 * min(map(np.nanmin, depths)) < typical < 2 * max(map(np.nanmax, depths))
    twice = replace(recipe, canonical_focal=400.0)
    assert typical_depth(twice, [data]) == pytest.approx(2 * typical, rel=1e-5)
    assert typical_depth(replace(recipe, tasks=('segmentation',)), [data]) == 1.0
