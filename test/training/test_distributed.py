# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A training of several processes."""

from __future__ import annotations

import json
import os
from pathlib import Path
import socket
import subprocess
import sys
import time

from checkout import CHECKOUT
import pytest
import torch
from training_data import write_streets
from training_runs import state_of, train

from hydranet_ros.training.recipe import (
    load_recipe,
)

pytestmark = pytest.mark.filterwarnings('ignore::UserWarning')


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
