# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The experiments of benchmarks/claims, and how their trainings (arms) are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
import shutil
import subprocess
import sys
import threading
import time
from typing import Any

import yaml

from hydranet_ros.data.configuration import build
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.provenance import commit_of
from hydranet_ros.resources import read_yaml

COMMAND = (sys.executable, '-m', 'hydranet_ros.cli.main')
MADE_BY = ('hydranet_ros', 'config', 'benchmarks', ':(exclude)benchmarks/*/results')


@dataclass(frozen=True)
class Distilled:
    """Annotations that an arm needs, made by a teacher."""

    config: str  # name of a file in ``distillation/``
    # Arm of this experiment whose model, of the same seed, is the teacher; if empty, the teacher
    # that the file names.
    teacher: str = ''


@dataclass(frozen=True)
class Measured:
    """A teacher that is measured for comparison."""

    config: str  # distillation file, or the name of a file in ``config/distillation``
    place: str  # ``dataset/split`` that the teacher is measured on


@dataclass(frozen=True)
class Arm:
    """One training of an experiment."""

    title: str  # for the table
    recipe: dict[str, Any] = field(default_factory=dict)  # differences from the shared recipe
    distilled: tuple[Distilled, ...] = ()  # annotations to distil first
    same_as: str = ''  # ``experiment/arm`` whose runs are used; the arm then only has a title
    measured: Measured | None = None  # the arm is a teacher instead of a training


@dataclass(frozen=True)
class Experiment:
    """A question and the arms that answer it."""

    title: str  # for the report, like ``question``
    question: str
    figures: tuple[str, ...]  # dataset/split task figure, e.g. camvid/val segmentation mean_iou
    reference: str  # arm that the others are compared with, seed by seed
    arms: dict[str, Arm]  # by name
    recipe: dict[str, Any] = field(default_factory=dict)  # shared by all arms
    subsets: dict[str, str] = field(default_factory=dict)
    """
    ``dataset split count``, by name: ``count`` stems, spread evenly over the split, are listed in
    ``${lists}/NAME.txt``, and the rest in ``${lists}/NAME_rest.txt``.
    """
    seeds: tuple[int, ...] = (1, 2, 3)  # of the runs of each arm


def experiments(folder: Path) -> dict[str, Experiment]:
    """Read all experiments of a folder."""
    return {
        path.stem: build(Experiment, read_yaml(path), str(path))
        for path in sorted(folder.glob('*.yaml'))
    }


class Bench:
    """
    Runs the experiments of a folder, which has ``datasets/``, ``distillation/`` and ``results/``.

    ``runs`` is the folder for trainings; they may be deleted once their results exist.
    """

    def __init__(self, folder: Path, runs: Path) -> None:
        self.folder = folder
        self.runs = runs
        self.experiments = experiments(folder)
        option = '' if folder.name == 'claims' else f' --folder benchmarks/{folder.name}'
        self.command = f'python benchmarks/claims.py{option}'
        self.stopped = threading.Event()
        """If set, no further command starts; running commands end normally."""
        self._locks: dict[Path, threading.RLock] = {}

    def result_path(self, experiment: str, arm: str, seed: int) -> Path:
        """Return the path of the result of a run."""
        described = self.experiments[experiment].arms[arm]
        name = described.same_as or f'{experiment}/{arm}'
        if described.measured:
            return self.folder / 'results' / f'{name}.json'
        return self.folder / 'results' / f'{name}-{seed}.json'

    def results(self, experiment: str, arm: str) -> dict[int, dict[str, Any]]:
        """Return the existing results of an arm, by seed."""
        found = {}
        described = self.experiments[experiment]
        # A teacher does not depend on the seed.
        seeds = described.seeds[:1] if described.arms[arm].measured else described.seeds
        for seed in seeds:
            path = self.result_path(experiment, arm, seed)
            if path.is_file():
                found[seed] = json.loads(path.read_text())
        return found

    def run(self, name: str, arm_name: str, seed: int) -> None:
        """
        Train and evaluate an arm, and the arms that it needs, unless there is a result.

        Raises HydranetError if a command fails, or the result was made with another recipe.
        """
        arm = self.experiments[name].arms[arm_name]
        if arm.same_as:
            self.run(*arm.same_as.split('/'), seed)
            return
        path = self.result_path(name, arm_name, seed)
        with self._lock(path):
            if arm.measured:
                self._measure(name, arm_name, arm.measured, path)
            else:
                self._train(name, arm_name, seed, path)

    def _lock(self, path: Path) -> threading.RLock:
        """Return the lock of a path, since arms that run at the same time share teachers."""
        return self._locks.setdefault(path, threading.RLock())

    def forget(self, name: str, arm_name: str, seed: int) -> None:
        """Remove the result, the training and the annotations of an arm, so that it runs again."""
        arm = self.experiments[name].arms[arm_name]
        if arm.same_as:
            self.forget(*arm.same_as.split('/'), seed)
            return
        self.result_path(name, arm_name, seed).unlink(missing_ok=True)
        for made in (self._directory(name, arm_name, seed), self._taught(name, arm_name, seed)):
            shutil.rmtree(made, ignore_errors=True)

    def _directory(self, name: str, arm_name: str, seed: int) -> Path:
        """Return the folder of a training."""
        return self.runs / name / f'{arm_name}-{seed}'

    def _taught(self, name: str, teacher: str, seed: int) -> Path:
        """Return the folder of the annotations that an arm's model makes."""
        return self.runs / name / f'distilled-{teacher}-{seed}'

    def _recipe(self, name: str, arm_name: str, seed: int) -> dict[str, Any]:
        """Return the complete recipe of an arm."""
        experiment = self.experiments[name]
        changes = {**experiment.arms[arm_name].recipe, 'seed': seed, 'name': arm_name}
        return dict(merged(experiment.recipe, changes))

    def _train(self, name: str, arm_name: str, seed: int, path: Path) -> None:
        """Train and evaluate an arm unless there is a result."""
        recipe = self._recipe(name, arm_name, seed)
        if path.is_file():
            if json.loads(path.read_text())['recipe'] != json.loads(json.dumps(recipe)):
                raise HydranetError(
                    f'{path} was made with another recipe; `run {name}/{arm_name} --again` '
                    'replaces it.'
                )
            print(f'{name}/{arm_name}, seed {seed}, is done: {path}', flush=True)
            return
        made_by = commit_of(*MADE_BY)
        variables = self._prepare(name, arm_name, seed)
        began = time.time()
        directory = self._fit(name, arm_name, seed, variables)
        result = {
            'experiment': name,
            'arm': arm_name,
            'seed': seed,
            'command': f'{self.command} run {name}/{arm_name} --seeds {seed}',
            'commit': made_by,
            'seconds': round(time.time() - began),
            'recipe': recipe,
            'curves': curves(directory / 'log.jsonl'),
            'figures': self._evaluate(directory, arm_name, recipe, variables),
        }
        write_result(path, result)

    def _prepare(self, name: str, arm_name: str, seed: int) -> list[str]:
        """Write the lists and annotations for an arm; returns variables with their paths."""
        experiment = self.experiments[name]
        variables = [f'lists={self.runs / name / "lists"}', f'claims={self.folder}']
        with self._lock(self.runs / name / 'lists'):
            self._write_subsets(name, experiment)
        for distilled in experiment.arms[arm_name].distilled:
            variables.append(self._distil(name, distilled, seed, variables))
        return variables

    def _fit(self, name: str, arm_name: str, seed: int, variables: Sequence[str]) -> Path:
        """Train an arm or resume its training; returns its folder."""
        directory = self._directory(name, arm_name, seed)
        directory.mkdir(parents=True, exist_ok=True)
        recipe = directory / 'recipe.yaml'
        recipe.write_text(yaml.safe_dump(self._recipe(name, arm_name, seed), sort_keys=False))
        self._call(['train', str(recipe), *variables, '--output', str(directory)])
        return directory

    def _model(self, name: str, arm_name: str, seed: int) -> Path:
        """Return the model of an arm; trains it if only the result exists, as in a fresh clone."""
        self.run(name, arm_name, seed)
        model = self._directory(name, arm_name, seed) / f'{arm_name}.safetensors'
        with self._lock(self.result_path(name, arm_name, seed)):
            if not model.is_file():
                self._fit(name, arm_name, seed, self._prepare(name, arm_name, seed))
        return model

    def _measure(self, name: str, arm_name: str, measured: Measured, path: Path) -> None:
        """Measure a teacher, unless there is a result."""
        if path.is_file():
            print(f'{name}/{arm_name} is done: {path}', flush=True)
            return
        figures = json.loads(self._call(['distill', measured.config, '--measure'], read=True))
        result = {
            'experiment': name,
            'arm': arm_name,
            'command': f'hydranet distill {measured.config} --measure',
            'commit': commit_of(*MADE_BY),
            'curves': {},
            'figures': {measured.place: figures},
        }
        write_result(path, result)

    def _distil(self, name: str, distilled: Distilled, seed: int, variables: Sequence[str]) -> str:
        """Write the annotations of a teacher; returns a variable with their path."""
        output = self.runs / name / 'distilled'
        teacher = []
        if distilled.teacher:
            teacher = [f'teacher_model={self._model(name, distilled.teacher, seed)}']
            output = self._taught(name, distilled.teacher, seed)
        where = f'{distilled.config}={output / distilled.config}'
        config = self.folder / 'distillation' / f'{distilled.config}.yaml'
        with self._lock(output / distilled.config):
            self._call(['distill', str(config), *variables, *teacher, where])
        return where

    def _write_subsets(self, name: str, experiment: Experiment) -> None:
        """Write the lists of stems that divide a dataset in two."""
        from hydranet_ros.data.open_dataset import load_dataset
        from hydranet_ros.evaluation.dataset_evaluation import spread_indices

        folder = self.runs / name / 'lists'
        folder.mkdir(parents=True, exist_ok=True)
        for subset, text in experiment.subsets.items():
            dataset, split, count = text.split()
            records = load_dataset(self._dataset(dataset), split).records  # type: ignore[attr-defined]
            stems = [record.stem for record in records]
            chosen = {stems[index] for index in spread_indices(len(stems), int(count))}
            rest = [stem for stem in stems if stem not in chosen]
            _write_once(folder / f'{subset}.txt', '\n'.join(sorted(chosen)) + '\n')
            _write_once(folder / f'{subset}_rest.txt', '\n'.join(rest) + '\n')

    def _dataset(self, name: str) -> str:
        """Return the dataset file with this name, from the experiments or the package."""
        own = self.folder / 'datasets' / f'{name}.yaml'
        return str(own) if own.is_file() else name

    def _evaluate(
        self, directory: Path, model: str, recipe: Mapping[str, Any], variables: Sequence[str]
    ) -> dict[str, Any]:
        """Evaluate a model with `hydranet evaluate`, on all evaluation data of its recipe."""
        figures = {}
        for part in recipe['evaluation']:
            output = directory / f'{Path(part["dataset"]).stem}-{part["split"]}.json'
            command = ['evaluate', f'{directory / model}.safetensors', part['dataset'], *variables]
            command += ['--split', part['split'], '--json', str(output)]
            command += ['--tasks', *part['tasks']]
            self._call(command)
            content = json.loads(output.read_text())
            figures[content['dataset']] = content['figures']
        return figures

    def _call(self, arguments: Sequence[str], read: bool = False) -> str:
        """Print and run a `hydranet` command; with ``read``, return its output."""
        shown = f'hydranet {" ".join(arguments)}'
        if self.stopped.is_set():
            raise HydranetError(f'Stopped before `{shown}`.')
        print('$', shown, flush=True)
        output = subprocess.PIPE if read else None
        # Ctrl-C also reaches the command; if it is a training, it saves its state and ends.
        process = subprocess.run([*COMMAND, *arguments], stdout=output, text=True, check=False)
        if process.returncode:
            raise HydranetError(
                f'`{shown}` ended with status {process.returncode}; run again to resume.'
            )
        return process.stdout or ''


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write the result of an arm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + '\n')


def _write_once(path: Path, text: str) -> None:
    """Write a file unless it has this text already, since another arm may be reading it."""
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def merged(base: Any, changes: Any) -> Any:
    """Return a mapping with changes applied section by section; lists are replaced."""
    if not isinstance(base, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {
        **base,
        **{key: merged(base.get(key), value) for key, value in changes.items()},
    }


def curves(log: Path) -> dict[str, list[tuple[int, float]]]:
    """Return all logged losses and figures of a training as (step, value), by name."""
    found: dict[str, dict[int, float]] = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        step, group = entry.pop('step'), entry.pop('group')
        if group == 'training':
            told = ('loss', *(name for name in entry if name.startswith('weight_')))
            entry = {name: entry[name] for name in told}
        for name, value in entry.items():
            found.setdefault(f'{group} {name}', {})[step] = round(value, 5)
    return {name: sorted(points.items()) for name, points in found.items()}
