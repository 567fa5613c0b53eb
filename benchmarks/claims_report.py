# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The report of the experiments: tables and plots, made from the results only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

from claims_cost import cost_path, cost_section
from claims_experiments import Bench
import numpy as np

from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.plots import curves_plot


def figure_of(result: Mapping[str, Any], name: str) -> float:
    """Return a figure of a result, by ``dataset/split task figure``."""
    place, task, figure = name.split()
    return float(result['figures'][place][task][figure])


def table(bench: Bench, name: str) -> str:
    """Return a Markdown table: each figure, and its difference from the reference arm."""
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
    """Return a figure, None if the arm does not have the task."""
    try:
        return figure_of(result, figure)
    except KeyError:
        return None


def _mean_and_spread(values: Sequence[float], sign: str = '') -> str:
    """Return the mean and, for several values, the standard deviation."""
    if not values:
        return ''
    text = f'{np.mean(values):{sign}.3f}'
    return text if len(values) < 2 else f'{text} ± {np.std(values, ddof=1):.3f}'


def has_results(bench: Bench, name: str) -> bool:
    """Return whether an experiment has any result."""
    return any(bench.results(name, arm) for arm in bench.experiments[name].arms)


def report(bench: Bench) -> dict[str, str]:
    """Return the section of each experiment, and of ``cost`` if it was measured."""
    sections = {}
    for name, experiment in bench.experiments.items():
        found = 'Not run yet.\n'
        if has_results(bench, name):
            found = (
                f'{table(bench, name)}\n\n'
                f'![{experiment.title}: {experiment.figures[0]}](images/claims/{name}.svg)\n'
            )
        command = f'{bench.command} run {name}'
        sections[name] = f'{experiment.question}\n\n`{command}`\n\n{found}'
    if cost_path(bench).is_file():
        sections['cost'] = cost_section(json.loads(cost_path(bench).read_text()))
    return sections


def plot(bench: Bench, name: str) -> str:
    """Plot the first metric of an experiment against the training steps, mean over runs."""
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
    """Write the sections between their markers in a document, and the plots to ``images``."""
    text = document.read_text()
    plots = document.parent / 'images' / 'claims'
    for name, section in report(bench).items():
        begin, end = f'<!-- claims: {name} -->\n', f'<!-- end of {name} -->'
        if begin not in text:
            raise HydranetError(f'{document} lacks the marks for {name}: {begin.strip()} … {end}.')
        head, _, rest = text.partition(begin)
        text = f'{head}{begin}{section}{end}{rest.partition(end)[2]}'
        if name in bench.experiments and has_results(bench, name):
            plots.mkdir(parents=True, exist_ok=True)
            (plots / f'{name}.svg').write_text(plot(bench, name) + '\n')
    document.write_text(text)
