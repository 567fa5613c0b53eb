# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the paper's claims: every experiment of benchmarks/claims, arm by arm.

    export HYDRANET_DATA=DIR HYDRANET_IMAGENET=FILE
    python benchmarks/claims.py run                       # all that is not done yet
    python benchmarks/claims.py run distilled_segmentation/all_human --seeds 1
    python benchmarks/claims.py report --write docs/results.md     # its tables and plots

An experiment is a YAML file: a recipe that all its arms share, and for each arm what differs. A
run can be stopped at any time and goes on by the same command. What an arm reached is written to
benchmarks/claims/results, from which alone the report is made.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import subprocess
import sys
import time
from typing import Any

import numpy as np
import yaml

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.configuration import build, read_yaml
from hydranet_ros.training.export import commit_of

HERE = Path(__file__).resolve().parent / 'claims'
COMMAND = (sys.executable, '-m', 'hydranet_ros.cli.main')
MADE_BY = ('hydranet_ros', 'config', 'benchmarks', ':(exclude)benchmarks/claims/results')


@dataclass(frozen=True)
class Distilled:
    """
    Annotations that an arm needs, by a teacher.

    Attributes
    ----------
    config
        Name of a file in ``distillation/``.
    teacher
        Arm of the same experiment whose model, of the same seed, is the teacher; empty for the
        teacher that the file names.

    """

    config: str
    teacher: str = ''


@dataclass(frozen=True)
class Arm:
    """
    One way to train.

    Attributes
    ----------
    title
        What it is, for the table.
    recipe
        What differs from the experiment's recipe.
    distilled
        What has to be distilled first.
    same_as
        ``experiment/arm`` whose runs are this arm's too; then there is nothing else.

    """

    title: str
    recipe: dict[str, Any] = field(default_factory=dict)
    distilled: tuple[Distilled, ...] = ()
    same_as: str = ''


@dataclass(frozen=True)
class Experiment:
    """
    A question and the arms that answer it.

    Attributes
    ----------
    title, question
        For the report.
    figures
        What is compared: ``dataset/split task figure``, as ``camvid/val segmentation mean_iou``.
    reference
        Arm that the others are compared with, seed by seed.
    recipe
        What all arms share.
    arms
        By name.
    subsets
        Name to ``dataset split count``: lists of so many stems spread evenly over a split, and of
        the rest, as ``${lists}/NAME.txt`` and ``${lists}/NAME_rest.txt``.
    seeds
        Of the runs of each arm.

    """

    title: str
    question: str
    figures: tuple[str, ...]
    reference: str
    arms: dict[str, Arm]
    recipe: dict[str, Any] = field(default_factory=dict)
    subsets: dict[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = (1, 2, 3)


def experiments(folder: Path) -> dict[str, Experiment]:
    """Read all experiments of a folder."""
    return {
        path.stem: build(Experiment, read_yaml(path), str(path))
        for path in sorted(folder.glob('*.yaml'))
    }


class Bench:
    """
    Where experiments are read and results written.

    Parameters
    ----------
    folder
        The experiments, with ``datasets/``, ``distillation/`` and ``results/``.
    runs
        Where trainings go; may be deleted when their results are there.

    """

    def __init__(self, folder: Path, runs: Path) -> None:
        self.folder = folder
        self.runs = runs
        self.experiments = experiments(folder)

    def result_path(self, experiment: str, arm: str, seed: int) -> Path:
        """Return where the result of a run is."""
        shared = self.experiments[experiment].arms[arm].same_as
        name = shared or f'{experiment}/{arm}'
        return self.folder / 'results' / f'{name}-{seed}.json'

    def results(self, experiment: str, arm: str) -> dict[int, dict[str, Any]]:
        """Return the results of an arm that are there, by seed."""
        found = {}
        for seed in self.experiments[experiment].seeds:
            path = self.result_path(experiment, arm, seed)
            if path.is_file():
                found[seed] = json.loads(path.read_text())
        return found

    def run(self, name: str, arm_name: str, seed: int) -> None:
        """Train and evaluate one arm, and what it depends on, unless it is done."""
        experiment, arm = self.experiments[name], self.experiments[name].arms[arm_name]
        if arm.same_as:
            self.run(*arm.same_as.split('/'), seed)
            return
        path = self.result_path(name, arm_name, seed)
        if path.is_file():
            return
        variables = [f'lists={self.runs / name / "lists"}', f'claims={self.folder}']
        self._write_subsets(name, experiment)
        for distilled in arm.distilled:
            variables.append(self._distil(name, distilled, seed, variables))
        directory = self.runs / name / f'{arm_name}-{seed}'
        directory.mkdir(parents=True, exist_ok=True)
        recipe = merged(experiment.recipe, {**arm.recipe, 'seed': seed, 'name': arm_name})
        (directory / 'recipe.yaml').write_text(yaml.safe_dump(recipe, sort_keys=False))
        began = time.time()
        command = ['train', str(directory / 'recipe.yaml'), *variables]
        self._call([*command, '--output', str(directory)])
        result = {
            'experiment': name,
            'arm': arm_name,
            'seed': seed,
            'command': f'python benchmarks/claims.py run {name}/{arm_name} --seeds {seed}',
            'commit': commit_of(*MADE_BY),
            'seconds': round(time.time() - began),
            'recipe': recipe,
            'curves': curves(directory / 'log.jsonl'),
            'figures': self._evaluate(directory, arm_name, recipe, variables),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + '\n')

    def _distil(self, name: str, distilled: Distilled, seed: int, variables: Sequence[str]) -> str:
        """Write the annotations of a teacher; returns the variable that says where they are."""
        output = self.runs / name / 'distilled'
        teacher = []
        if distilled.teacher:
            self.run(name, distilled.teacher, seed)
            model = self.runs / name / f'{distilled.teacher}-{seed}'
            output = self.runs / name / f'distilled-{distilled.teacher}-{seed}'
            teacher = [f'teacher_model={model / distilled.teacher}.safetensors']
        where = f'{distilled.config}={output / distilled.config}'
        config = self.folder / 'distillation' / f'{distilled.config}.yaml'
        self._call(['distill', str(config), *variables, *teacher, where])
        return where

    def _write_subsets(self, name: str, experiment: Experiment) -> None:
        """Write the lists of stems that split a dataset in two."""
        from hydranet_ros.training.datasets import load_dataset

        folder = self.runs / name / 'lists'
        folder.mkdir(parents=True, exist_ok=True)
        for subset, text in experiment.subsets.items():
            dataset, split, count = text.split()
            records = load_dataset(self._dataset(dataset), split).records  # type: ignore[attr-defined]
            stems = [record.stem for record in records]
            places = np.linspace(0, len(stems) - 1, int(count)).round().astype(int)
            chosen = {stems[place] for place in places}
            rest = [stem for stem in stems if stem not in chosen]
            (folder / f'{subset}.txt').write_text('\n'.join(sorted(chosen)) + '\n')
            (folder / f'{subset}_rest.txt').write_text('\n'.join(rest) + '\n')

    def _dataset(self, name: str) -> str:
        """Return the dataset file of a name: one of the experiments', or of the package."""
        own = self.folder / 'datasets' / f'{name}.yaml'
        return str(own) if own.is_file() else name

    def _evaluate(
        self, directory: Path, model: str, recipe: Mapping[str, Any], variables: Sequence[str]
    ) -> dict[str, Any]:
        """Evaluate the model by the protocol, on all that the recipe evaluates on."""
        figures = {}
        for exam in recipe['evaluation']:
            output = directory / f'{Path(exam["dataset"]).stem}-{exam["split"]}.json'
            command = ['evaluate', f'{directory / model}.safetensors', exam['dataset'], *variables]
            command += ['--split', exam['split'], '--json', str(output)]
            command += ['--tasks', *exam['tasks']]
            self._call(command)
            content = json.loads(output.read_text())
            figures[content['dataset']] = content['figures']
        return figures

    @staticmethod
    def _call(arguments: Sequence[str]) -> None:
        """Run a command of `hydranet`, and show it."""
        print('$ hydranet', ' '.join(arguments), flush=True)
        status = subprocess.run([*COMMAND, *arguments], check=False).returncode
        if status:
            raise HydranetError(f'It ended with status {status}; the same command goes on.')


def merged(base: Any, changes: Any) -> Any:
    """Return a mapping with changes in it, section by section; lists are replaced whole."""
    if not isinstance(base, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {
        **base,
        **{key: merged(base.get(key), value) for key, value in changes.items()},
    }


def curves(log: Path) -> dict[str, list[tuple[int, float]]]:
    """Return every figure of the evaluations during a training, as (step, value), by its name."""
    found: dict[str, dict[int, float]] = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        step, group = entry.pop('step'), entry.pop('group')
        if group == 'training':
            entry = {'loss': entry['loss']}
        for name, value in entry.items():
            found.setdefault(f'{group} {name}', {})[step] = round(value, 5)
    return {name: sorted(points.items()) for name, points in found.items()}


def figure_of(result: Mapping[str, Any], name: str) -> float:
    """Return a figure of a result, by ``dataset/split task figure``."""
    place, task, figure = name.split()
    content = result['figures'][place][task]
    return float(content.get('all_pixels', content)[figure])


def table(bench: Bench, name: str) -> str:
    """Return an experiment's figures as a Markdown table: mean ± spread, and against the first."""
    experiment = bench.experiments[name]
    heads = [figure.replace('_', ' ') for figure in experiment.figures]
    lines = [
        f'| Arm | Runs | {" | ".join(f"{head} | against" for head in heads)} |',
        f'|---|---|{"---|---|" * len(heads)}',
    ]
    reference = bench.results(name, experiment.reference)
    for arm_name, arm in experiment.arms.items():
        results = bench.results(name, arm_name)
        cells = [f'{arm.title} (`{arm_name}`)', str(len(results))]
        for figure in experiment.figures:
            values = {seed: _value(result, figure) for seed, result in results.items()}
            cells.append(_mean_and_spread([v for v in values.values() if v is not None]))
            pairs = [
                (value, _value(reference[seed], figure))
                for seed, value in values.items()
                if seed in reference
            ]
            differences = [a - b for a, b in pairs if a is not None and b is not None]
            same = arm_name == experiment.reference
            cells.append('' if same else _mean_and_spread(differences, '+'))
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def _value(result: Mapping[str, Any], figure: str) -> float | None:
    """Return a figure; None where the arm has no such task."""
    try:
        return figure_of(result, figure)
    except KeyError:
        return None


def _mean_and_spread(values: Sequence[float], sign: str = '') -> str:
    """Return the mean and, of several values, their standard deviation."""
    if not values:
        return ''
    text = f'{np.mean(values):{sign}.3f}'
    return text if len(values) < 2 else f'{text} ± {np.std(values, ddof=1):.3f}'


def report(bench: Bench) -> dict[str, str]:
    """Return what is to say of each experiment that has results: question, command, table."""
    sections = {}
    for name, experiment in bench.experiments.items():
        if not any(bench.results(name, arm) for arm in experiment.arms):
            continue
        sections[name] = (
            f'{experiment.question}\n\n'
            f'`python benchmarks/claims.py run {name}`\n\n'
            f'{table(bench, name)}\n\n'
            f'![{experiment.title}: {experiment.figures[0]}](images/claims/{name}.svg)\n'
        )
    return sections


def plot(bench: Bench, name: str) -> str:
    """Draw an experiment's first figure over the steps of training, mean over the runs."""
    from hydranet_ros.evaluation.svg import curves_plot

    experiment = bench.experiments[name]
    place, _, figure = experiment.figures[0].split()
    curves = {}
    for arm_name, arm in experiment.arms.items():
        runs = [
            dict(map(tuple, result['curves'].get(f'{place} {figure}', [])))
            for result in bench.results(name, arm_name).values()
        ]
        steps = sorted(set.intersection(*map(set, runs))) if runs else []
        if steps:
            curves[arm.title] = [
                (step, float(np.mean([run[step] for run in runs]))) for step in steps
            ]
    return curves_plot(f'{figure} on {place} during training', curves, 'steps')


def write_report(bench: Bench, document: Path) -> None:
    """Put the sections between their markers in a document, and the plots beside it."""
    text = document.read_text()
    plots = document.parent / 'images' / 'claims'
    for name, section in report(bench).items():
        begin, end = f'<!-- claims: {name} -->\n', f'<!-- end of {name} -->'
        if begin not in text:
            raise HydranetError(f'{document} has no place for {name}: {begin.strip()} … {end}.')
        head, _, rest = text.partition(begin)
        text = f'{head}{begin}{section}{end}{rest.partition(end)[2]}'
        plots.mkdir(parents=True, exist_ok=True)
        (plots / f'{name}.svg').write_text(plot(bench, name) + '\n')
    document.write_text(text)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--folder', type=Path, default=HERE, help=argparse.SUPPRESS)
    parser.add_argument(
        '--runs',
        type=Path,
        default=Path(os.environ.get('HYDRANET_RUNS', 'runs')) / 'claims',
        help='where trainings go (default: runs/claims)',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='run what is not done yet')
    run.add_argument('names', nargs='*', metavar='EXPERIMENT[/ARM]', help='default: all')
    run.add_argument('--seeds', type=int, nargs='+', help="default: the experiment's")
    written = commands.add_parser('report', help='print the tables')
    written.add_argument(
        '--write', type=Path, metavar='FILE', help='put them into this document instead'
    )
    return parser.parse_args()


def main() -> int:
    """Run or report."""
    parsed = arguments()
    bench = Bench(parsed.folder.resolve(), parsed.runs.resolve())
    try:
        if parsed.command == 'report':
            if parsed.write:
                write_report(bench, parsed.write)
            else:
                print('\n'.join(report(bench).values()))
            return 0
        for wanted in parsed.names or bench.experiments:
            name, _, arm = wanted.partition('/')
            if name not in bench.experiments:
                raise HydranetError(
                    f'There is no experiment {name!r}; there are: {", ".join(bench.experiments)}.'
                )
            experiment = bench.experiments[name]
            if arm and arm not in experiment.arms:
                raise HydranetError(
                    f'{name} has no arm {arm!r}; it has: {", ".join(experiment.arms)}.'
                )
            # All arms of a seed before the next one: what is there can be compared early.
            for seed in parsed.seeds or experiment.seeds:
                for arm_name in [arm] if arm else experiment.arms:
                    bench.run(name, arm_name, seed)
    except HydranetError as error:
        print(f'claims: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
