# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The cost of one network against two.

Not with the tests of training: it runs the deployed graph, whose runtimes do not bear a process
that has forked loaders.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from checkout import CHECKOUT
import claims_cost
from claims_cost import cost_section, measure_cost
from claims_experiments import Bench
import numpy as np
from numpy.typing import NDArray
import pytest

from hydranet_ros.runtime.benchmark import WARM_UP_ROUNDS
from hydranet_ros.runtime.predictor import Prediction, Predictor

EXPERIMENTS = CHECKOUT / 'benchmarks' / 'claims'
MILLISECONDS = {('depth', 'segmentation'): 10.0, ('segmentation',): 8.0, ('depth',): 6.0}


class TimedPredictor(Predictor):
    """Predicts as it does, and takes the time that its tasks say; its first images a second."""

    clock = 0.0

    def predict(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Prediction:
        """Predict one image and advance the clock."""
        tasks = tuple(sorted(self.metadata.tasks))
        self.calls = getattr(self, 'calls', 0) + 1
        warming_up = self.calls <= WARM_UP_ROUNDS
        TimedPredictor.clock += 1.0 if warming_up else 0.001 * MILLISECONDS[tasks]
        return super().predict(rgb, fx)


def test_one_network_is_timed_against_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks of the asymmetric arms differ by their heads alone."""
    monkeypatch.setenv('HYDRANET_DATA', 'data')
    monkeypatch.setenv('HYDRANET_IMAGENET', 'imagenet.pt')
    monkeypatch.setattr(claims_cost, 'Predictor', TimedPredictor)
    clock = SimpleNamespace(perf_counter=lambda: TimedPredictor.clock)
    monkeypatch.setattr(claims_cost, 'time', clock)
    cost = measure_cost(Bench(EXPERIMENTS, tmp_path), [(64, 48)], rounds=2)
    both, *alone = cost['networks'].values()
    assert max(network['parameters'] for network in alone) < both['parameters']
    assert both['parameters'] < sum(network['parameters'] for network in alone)
    assert both['macs']['64x48'] < sum(network['macs']['64x48'] for network in alone)
    times = [network['milliseconds']['64x48'] for network in (both, *alone)]
    assert times == pytest.approx([10.0, 8.0, 6.0])
    assert cost['two_over_one']['64x48'] == pytest.approx(1.4) and cost['commit'] is not None
    text = cost_section(cost)
    assert f'{both["parameters"] / 1e6:.2f} M' in text
    assert 'Two networks take 1.40 (64x48) times as long as one' in text
    assert text.count('\n| ') == 5 and '64x48: GMAC' in text
