# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The cost of one network against two.

Not with the tests of training: it runs the deployed graph, whose runtimes do not bear a process
that has forked loaders.
"""

from __future__ import annotations

from pathlib import Path

from checkout import CHECKOUT
from claims_cost import cost_section, measure_cost
from claims_experiments import Bench
import pytest

EXPERIMENTS = CHECKOUT / 'benchmarks' / 'claims'


def test_one_network_is_timed_against_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks of the asymmetric arms differ by their heads alone."""
    monkeypatch.setenv('HYDRANET_DATA', 'data')
    monkeypatch.setenv('HYDRANET_IMAGENET', 'imagenet.pt')
    cost = measure_cost(Bench(EXPERIMENTS, tmp_path), [(64, 48)], rounds=3)
    both, *alone = cost['networks'].values()
    assert max(network['parameters'] for network in alone) < both['parameters']
    assert both['parameters'] < sum(network['parameters'] for network in alone)
    assert both['macs']['64x48'] < sum(network['macs']['64x48'] for network in alone)
    assert cost['two_over_one']['64x48'] > 0 and cost['commit'] is not None
    text = cost_section(cost)
    assert f'{both["parameters"] / 1e6:.2f} M' in text
    assert text.count('\n| ') == 5 and '64x48: GMAC' in text
