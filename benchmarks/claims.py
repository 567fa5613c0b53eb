# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the paper's claims: run the experiments of benchmarks/claims.

    export HYDRANET_DATA=DIR HYDRANET_IMAGENET=FILE
    python benchmarks/claims.py run                       # all arms without a result
    python benchmarks/claims.py run distilled_segmentation/people --seeds 1 --again
    python benchmarks/claims.py run --jobs 8              # eight arms at a time, on one GPU
    python benchmarks/claims.py --folder benchmarks/rooms run  # other experiments
    python benchmarks/claims.py cost                      # time one network against two
    python benchmarks/claims.py report --write docs/experiments/results.md  # tables and plots

An experiment compares trainings, called arms. Its YAML file has the recipe that all arms share
and, for each arm, the differences from this recipe. A run can be stopped at any time; the same
command resumes it. The results of an arm are written to benchmarks/claims/results; the report is
made from these files only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import as_completed, ThreadPoolExecutor
import json
import os
from pathlib import Path
import sys

from claims_cost import cost_path, cost_section, measure_cost
from claims_experiments import Bench
from claims_report import report, write_report

from hydranet_ros.cli.common import image_size
from hydranet_ros.errors import HydranetError

HERE = Path(__file__).resolve().parent / 'claims'


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument(
        '--folder',
        type=Path,
        default=HERE,
        help='folder of the experiments (default: benchmarks/claims)',
    )
    parser.add_argument(
        '--runs',
        type=Path,
        help='folder for trainings (default: runs/NAME for --folder benchmarks/NAME)',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='run the arms that have no result')
    run.add_argument('names', nargs='*', metavar='EXPERIMENT[/ARM]', help='default: all')
    run.add_argument('--seeds', type=int, nargs='+', help='default: those of the experiment')
    run.add_argument(
        '--again',
        action='store_true',
        help='remove the results of the named arms and run them again',
    )
    run.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='number of arms to run at a time (default: 1); a GPU can run several, two cores one',
    )
    cost = commands.add_parser('cost', help='time one network for two tasks against two networks')
    cost.add_argument('--size', type=image_size, nargs='+', default=[(640, 480), (1200, 350)])
    cost.add_argument('--rounds', type=int, default=30)
    written = commands.add_parser('report', help='print the tables')
    written.add_argument(
        '--write', type=Path, metavar='FILE', help='write tables and plots into FILE instead'
    )
    return parser.parse_args()


def planned(
    bench: Bench, names: Sequence[str], seeds: Sequence[int] | None
) -> list[tuple[str, str, int]]:
    """Return experiment, arm and seed of the requested runs, sorted by seed."""
    runs = []
    for wanted in names or bench.experiments:
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
        for seed in seeds or experiment.seeds:
            runs += [(name, arm_name, seed) for arm_name in ([arm] if arm else experiment.arms)]
    return sorted(runs, key=lambda run: run[2])


def run_all(bench: Bench, runs: Sequence[tuple[str, str, int]], jobs: int) -> None:
    """
    Run ``jobs`` arms at a time; after an error or Ctrl-C, no further arm starts.

    Raises the HydranetError of an arm once the other running arms have ended.
    """
    if jobs < 1:
        raise HydranetError(f'--jobs must be at least 1, not {jobs}.')
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(bench.run, *each) for each in runs]
        try:
            for done in as_completed(waiting):
                done.result()
        except BaseException:
            bench.stopped.set()  # for arms that wait for the result of another arm
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def main() -> int:
    """Run, measure or report."""
    parsed = arguments()
    folder = parsed.folder.resolve()
    runs_of_all = Path(os.environ.get('HYDRANET_RUNS', 'runs'))
    bench = Bench(folder, (parsed.runs or runs_of_all / folder.name).resolve())
    try:
        if parsed.command == 'run':
            runs = planned(bench, parsed.names, parsed.seeds)
            if parsed.again:
                if not parsed.names:
                    raise HydranetError('--again needs the names of arms to run again.')
                for each in runs:
                    bench.forget(*each)
            run_all(bench, runs, parsed.jobs)
        elif parsed.command == 'cost':
            cost = measure_cost(bench, parsed.size, parsed.rounds)
            cost_path(bench).parent.mkdir(parents=True, exist_ok=True)
            cost_path(bench).write_text(json.dumps(cost, indent=1) + '\n')
            print(cost_section(cost))
        elif parsed.write:
            write_report(bench, parsed.write)
        else:
            print('\n'.join(report(bench).values()))
    except KeyboardInterrupt:
        print('claims: stopped; run the same command to resume.', file=sys.stderr)
        return 130
    except HydranetError as error:
        print(f'claims: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
