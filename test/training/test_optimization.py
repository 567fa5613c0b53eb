# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Learning rates and averaged weights."""

from __future__ import annotations

import pytest
import torch

from hydranet_ros.training.optimization import AveragedWeights, rate_factor
from hydranet_ros.training.recipe import (
    Optimization,
)


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
