# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The measurement of the paper's claims: arms run once, depend on each other, and are compared."""

from __future__ import annotations

import json
from pathlib import Path
import shutil
import sys
import threading

from checkout import CHECKOUT
from claims import main as claims_main
from claims import planned, run_all
from claims_experiments import Bench, experiments, merged, write_result
from claims_report import _mean_and_spread, figure_of, table, write_report
import pytest
from training_data import write_streets
import yaml

from hydranet_ros.cli.main import main
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.distill import load_config
from hydranet_ros.training.recipe import load_recipe

EXPERIMENTS = CHECKOUT / 'benchmarks' / 'claims'


RECIPE = {
    'tasks': ['depth'],
    'crops': [[64, 96]],
    'batch': 2,
    'steps': 2,
    'workers': 0,
    'evaluate_every': 1,
    'canonical_focal': 100.0,
    'mixture': [{'dataset': '${claims}/datasets/some.yaml', 'split': 'measured'}],
}
FIGURE = 'streets/all depth abs_rel'


def write_experiments(folder: Path, streets: Path) -> None:
    """Write an experiment of two arms, of which one teaches the other, and one that shares."""
    for name in ('datasets', 'distillation', 'teachers'):
        (folder / name).mkdir(parents=True)
    layout = yaml.safe_load(streets.read_text())
    some = {
        **layout,
        'name': 'some',
        'splits': {
            'measured': {'list': '${lists}/two.txt'},
            'rest': {'list': '${lists}/two_rest.txt'},
        },
    }
    taught = {
        **some,
        'name': 'taught',
        'depth': {'units_per_metre': 256, 'folder': '${more}', 'origin': 'distilled'},
    }
    files = {
        'datasets/some': some,
        'datasets/taught': taught,
        'teachers/copy': {'kind': 'bundle', 'model': '${teacher_model}', 'tasks': ['depth']},
        'distillation/more': {
            'dataset': '${claims}/datasets/some.yaml',
            'split': 'rest',
            'teacher': '${claims}/teachers/copy.yaml',
            'depth': {'output': '${more}', 'units_per_metre': 256, 'every_image': True},
        },
        'taught': {
            'title': 'Taught',
            'question': 'Does it help?',
            'figures': [FIGURE],
            'reference': 'alone',
            'subsets': {'two': f'{streets} all 2'},
            'seeds': [1, 2],
            'recipe': {
                **RECIPE,
                'evaluation': [{'dataset': str(streets), 'split': 'all', 'tasks': ['depth']}],
            },
            'arms': {
                'alone': {'title': 'alone'},
                'more': {
                    'title': 'more',
                    'distilled': [{'config': 'more', 'teacher': 'alone'}],
                    'recipe': {
                        'mixture': [{'dataset': '${claims}/datasets/taught.yaml', 'split': 'rest'}]
                    },
                },
                'itself': {
                    'title': 'the teacher',
                    'measured': {'config': str(folder / 'check.yml'), 'place': 'streets/all'},
                },
            },
        },
        'shared': {
            'title': 'Shared',
            'question': 'The same?',
            'figures': [FIGURE],
            'reference': 'one',
            'arms': {'one': {'title': 'one', 'same_as': 'taught/alone'}},
        },
    }
    for name, content in files.items():
        (folder / f'{name}.yaml').write_text(yaml.safe_dump(content))


def test_arms_run_once_and_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An arm whose teacher is another arm trains that first; results alone make the report."""
    streets = write_streets(tmp_path / 'data', 4)
    write_experiments(tmp_path / 'claims', streets)
    called = []

    def call(arguments: list[str], read: bool = False) -> str:
        called.append(arguments[0])
        if main(arguments):
            raise HydranetError('no')
        return capsys.readouterr().out if read else ''

    monkeypatch.setattr(Bench, '_call', staticmethod(call))
    bench = Bench(tmp_path / 'claims', tmp_path / 'runs')
    bench.run('taught', 'more', 1)
    assert called == ['train', 'evaluate', 'distill', 'train', 'evaluate']
    called.clear()
    bench.run('taught', 'more', 1)
    bench.run('shared', 'one', 1)
    assert called == []
    # As in a clone, which has the results and not the models: the teacher is trained once more.
    shutil.rmtree(tmp_path / 'runs')
    bench.forget('taught', 'more', 1)
    bench.run('taught', 'more', 1)
    assert called == ['train', 'distill', 'train', 'evaluate']
    called.clear()
    bench.forget('shared', 'one', 1)
    bench.run('shared', 'one', 1)
    assert called == ['train', 'evaluate']
    called.clear()
    result = json.loads((tmp_path / 'claims/results/taught/more-1.json').read_text())
    assert [step for step, _ in result['curves']['streets/all abs_rel']] == [1, 2]
    assert result['recipe']['steps'] == 2 and result['commit']
    values = [figure_of(bench.results('taught', arm)[1], FIGURE) for arm in ('alone', 'more')]
    check = {
        'dataset': str(streets),
        'split': 'all',
        'teacher': str(tmp_path / 'itself.yaml'),
        'depth': {'output': 'nowhere'},
    }
    (tmp_path / 'claims' / 'check.yml').write_text(yaml.safe_dump(check))
    model = tmp_path / 'runs' / 'taught' / 'alone-1' / 'alone.safetensors'
    itself = {'kind': 'bundle', 'model': str(model), 'tasks': ['depth']}
    (tmp_path / 'itself.yaml').write_text(yaml.safe_dump(itself))
    capsys.readouterr()
    bench.run('taught', 'itself', 1)
    assert called == ['distill']
    assert figure_of(bench.results('taught', 'itself')[1], FIGURE) > 0
    result['recipe']['steps'] = 3
    path = tmp_path / 'claims/results/taught/more-1.json'
    path.write_text(json.dumps(result))
    with pytest.raises(
        HydranetError, match='was made with another recipe; `run taught/more --again`'
    ):
        bench.run('taught', 'more', 1)
    text = table(bench, 'taught')
    assert f'| alone (`alone`) | 1 | {values[0]:.3f} |  |' in text
    assert f'| more (`more`) | 1 | {values[1]:.3f} | {values[1] - values[0]:+.3f} |' in text
    document = tmp_path / 'results.md'
    document.write_text(
        'Before.\n<!-- claims: taught -->\nold\n<!-- end of taught -->\nBetween.\n'
        '<!-- claims: shared -->\n<!-- end of shared -->\nAfter.\n'
    )
    write_report(bench, document)
    write_report(bench, document)  # again changes nothing
    written = document.read_text()
    assert f'| one (`one`) | 1 | {values[0]:.3f} |' in written and text in written
    assert 'old' not in written and written.endswith('After.\n') and '\nBetween.\n' in written
    assert '>more</text>' in (tmp_path / 'images/claims/taught.svg').read_text()


def test_all_is_not_run_anew_by_a_slip(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--again` without names would remove every result."""
    monkeypatch.setattr(sys, 'argv', ['claims.py', 'run', '--again'])
    assert claims_main() == 1
    assert '--again needs the names' in capsys.readouterr().err


def test_arms_run_side_by_side_and_each_but_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two arms run at once, one of them for two experiments; a failure is told."""
    write_experiments(tmp_path / 'claims', write_streets(tmp_path / 'data', 4))
    bench = Bench(tmp_path / 'claims', tmp_path / 'runs')
    both = threading.Barrier(2, timeout=60)
    trained = []

    def train(_bench: Bench, name: str, arm: str, seed: int, path: Path) -> None:
        if path.exists():
            return
        both.wait()  # broken, and an error, unless the other arm is under way, too
        trained.append(arm)
        write_result(path, {'arm': arm})

    monkeypatch.setattr(Bench, '_train', train)
    runs = planned(bench, ['taught/alone', 'taught/more', 'shared'], [1])
    assert runs == [('taught', 'alone', 1), ('taught', 'more', 1), ('shared', 'one', 1)]
    run_all(bench, runs, jobs=3)
    assert sorted(trained) == ['alone', 'more']
    (tmp_path / 'claims/results/taught/more-1.json').unlink()
    both.abort()
    with pytest.raises(threading.BrokenBarrierError):
        run_all(bench, runs, jobs=1)
    with pytest.raises(HydranetError, match=r'Stopped before `hydranet train more\.yaml`'):
        bench._call(['train', 'more.yaml'])  # as an arm would that waited for the one that failed
    with pytest.raises(HydranetError, match='at least 1, not 0'):
        run_all(bench, runs, jobs=0)
    with pytest.raises(HydranetError, match='no experiment'):
        planned(bench, ['other'], None)
    with pytest.raises(HydranetError, match="no arm 'other'; it has: alone, itself, more"):
        planned(bench, ['taught/other'], None)


def test_mean_spread_and_pairs_are_over_seeds() -> None:
    """The spread is the standard deviation of the runs."""
    assert _mean_and_spread([]) == ''
    assert _mean_and_spread([0.5]) == '0.500'
    assert _mean_and_spread([0.4, 0.6]) == '0.500 ± 0.141'
    assert _mean_and_spread([0.1], '+') == '+0.100'
    assert merged({'a': {'b': 1, 'c': [1]}}, {'a': {'c': [2]}}) == {'a': {'b': 1, 'c': [2]}}


@pytest.mark.parametrize('folder', [EXPERIMENTS, EXPERIMENTS.parent / 'rooms'])
def test_every_shipped_experiment_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Every arm's recipe is valid, and what it names exists."""
    monkeypatch.setenv('HYDRANET_DATA', 'data')
    for variable in ('IMAGENET', 'LITE0', 'LITE2'):
        monkeypatch.setenv(f'HYDRANET_{variable}', 'imagenet.pt')
    for name, experiment in experiments(folder).items():
        assert experiment.reference in experiment.arms
        for arm_name, arm in experiment.arms.items():
            if arm.measured:
                assert load_config(arm.measured.config, ['distilled=x'])[0].dataset == 'camvid'
                continue
            if arm.same_as:
                other, _, shared = arm.same_as.partition('/')
                assert shared in experiments(folder)[other].arms
                continue
            path = tmp_path / 'recipe.yaml'
            path.write_text(yaml.safe_dump(merged(experiment.recipe, arm.recipe)))
            recipe, _ = load_recipe(path, [f'claims={folder}', 'lists=lists'])
            for dataset in [part.dataset for part in recipe.mixture]:
                assert '/' not in dataset or Path(dataset).is_file(), (name, arm_name)
            for distilled in arm.distilled:
                assert (folder / 'distillation' / f'{distilled.config}.yaml').is_file()
                assert not distilled.teacher or distilled.teacher in experiment.arms
