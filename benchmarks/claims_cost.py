# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Compare one network for two tasks with two networks: parameters, operations, time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import time
from typing import Any

from claims_experiments import Bench, MADE_BY, merged
import numpy as np
import yaml

from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.network import count_macs, count_parameters
from hydranet_ros.model.provenance import commit_of
from hydranet_ros.runtime.benchmark import Timing, WARM_UP_ROUNDS
from hydranet_ros.runtime.machine import machine
from hydranet_ros.runtime.parity import synthetic_picture
from hydranet_ros.runtime.predictor import Predictor
from hydranet_ros.training.bundle_metadata import metadata_of
from hydranet_ros.training.initial_weights import new_network
from hydranet_ros.training.recipe import load_recipe

BOTH = 'asymmetric/filled'
ALONE = ('asymmetric/classes_alone', 'asymmetric/depth_alone')


def measure_cost(bench: Bench, sizes: Sequence[tuple[int, int]], rounds: int) -> dict[str, Any]:
    """
    Time the network for two tasks (BOTH) and the networks for one task (ALONE), alternately.

    The networks have random weights, which do not affect the time. ``sizes`` are widths and
    heights of the image in pixels; each network predicts ``rounds`` images of each size. Returns
    ``networks`` (for each arm, parameters, and MACs and milliseconds by size), ``two_over_one``
    (by size, the time of the two networks divided by the time of the one; median over the rounds),
    and the machine.
    """
    networks = {arm: _bundle(bench, arm) for arm in (BOTH, *ALONE)}
    predictors = {arm: Predictor(bundle) for arm, bundle in networks.items()}
    cost: dict[str, Any] = {
        arm: {'parameters': count_parameters(bundle.network()), 'macs': {}, 'milliseconds': {}}
        for arm, bundle in networks.items()
    }
    ratios = {}
    for width, height in sizes:
        picture = synthetic_picture(height, width)
        seconds: dict[str, list[float]] = {arm: [] for arm in networks}
        for _ in range(WARM_UP_ROUNDS + rounds):
            for arm, predictor in predictors.items():
                begin = time.perf_counter()
                predictor.predict(picture)
                seconds[arm].append(time.perf_counter() - begin)
        counted = {arm: np.array(values[WARM_UP_ROUNDS:]) for arm, values in seconds.items()}
        size = f'{width}x{height}'
        for arm, values in counted.items():
            cost[arm]['macs'][size] = count_macs(networks[arm].network(), height, width)
            cost[arm]['milliseconds'][size] = round(Timing.of(values).median, 2)
        ratio = sum(counted[arm] for arm in ALONE) / counted[BOTH]
        ratios[size] = round(float(np.median(ratio)), 3)
    used = predictors[BOTH]
    return {
        'networks': cost,
        'two_over_one': ratios,
        'rounds': rounds,
        'backend': f'{used.backend.name} {used.backend.precision}',
        'machine': machine(),
        'commit': commit_of(*MADE_BY),
    }


def _bundle(bench: Bench, arm: str) -> Bundle:
    """Make the network of an arm, with random weights."""
    name, _, arm_name = arm.partition('/')
    experiment = bench.experiments[name]
    path = bench.runs / name / f'{arm_name}-cost.yaml'
    path.parent.mkdir(parents=True, exist_ok=True)
    recipe = merged(experiment.recipe, {**experiment.arms[arm_name].recipe, 'name': arm_name})
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    loaded, _ = load_recipe(path, [f'claims={bench.folder}'])
    return Bundle.from_network(metadata_of(loaded), new_network(loaded))


def cost_path(bench: Bench) -> Path:
    """Return the path of the results."""
    return bench.folder / 'results' / 'cost.json'


def cost_section(cost: dict[str, Any]) -> str:
    """Return the cost as text and a Markdown table."""
    networks = cost['networks']
    sizes = list(cost['two_over_one'])
    lines = [
        f'| Network | Parameters | {" | ".join(f"{s}: GMAC | ms" for s in sizes)} |',
        f'|---|---|{"---|---|" * len(sizes)}',
    ]

    def row(title: str, arms: Sequence[str]) -> str:
        cells = [f'{sum(networks[arm]["parameters"] for arm in arms) / 1e6:.2f} M']
        for size in sizes:
            cells.append(f'{sum(networks[arm]["macs"][size] for arm in arms) / 1e9:.2f}')
            cells.append(f'{sum(networks[arm]["milliseconds"][size] for arm in arms):.0f}')
        return f'| {title} | {" | ".join(cells)} |'

    lines.append(row('classes and depth in one', [BOTH]))
    lines += [row(f'`{arm}`', [arm]) for arm in ALONE]
    lines.append(row('one network each', ALONE))
    ratios = ' and '.join(f'{ratio:.2f} ({s})' for s, ratio in cost['two_over_one'].items())
    return (
        '`python benchmarks/claims.py cost`\n\n'
        + '\n'.join(lines)
        + f'\n\nTwo networks take {ratios} times as long as one: median of {cost["rounds"]} '
        f'rounds, measured alternately; {cost["backend"]} on {cost["machine"]["cores"]} cores '
        f'of {cost["machine"]["processor"]}.\n'
    )
