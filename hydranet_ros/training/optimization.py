# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Optimizer, learning-rate schedule, running average of the weights, frozen batch norm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn, Tensor

from hydranet_ros.model.network import HydraNet
from hydranet_ros.training.recipe import Optimization

_BASE_RATE = 'base_rate'


def make_optimizer(
    network: HydraNet, others: Iterable[nn.Parameter], options: Optimization
) -> torch.optim.Optimizer:
    """
    Make an optimizer with separate learning rates for encoder and decoder.

    ``others`` are parameters of the loss (task weights), which have no weight decay.
    """
    groups = []
    for parameters, rate in (
        (list(network.encoder_parameters()), options.encoder_rate),
        (list(network.decoder_parameters()), options.decoder_rate),
    ):
        kernels = [parameter for parameter in parameters if parameter.ndim > 1]
        offsets = [parameter for parameter in parameters if parameter.ndim <= 1]
        groups.append(_group(kernels, rate, options.weight_decay))
        groups.append(_group(offsets, rate, 0.0))
    learned = list(others)
    if learned:
        groups.append(_group(learned, options.weights_rate, 0.0))
    if options.method == 'sgd':
        return torch.optim.SGD(groups, lr=options.decoder_rate, momentum=options.momentum)
    return torch.optim.AdamW(groups, lr=options.decoder_rate)


def _group(parameters: list[nn.Parameter], rate: float, decay: float) -> dict[str, object]:
    return {'params': parameters, 'lr': rate, _BASE_RATE: rate, 'weight_decay': decay}


def rate_factor(step: int, steps: int, options: Optimization) -> float:
    """Return the factor on the learning rates after ``step`` of ``steps`` steps."""
    share = min(step / steps, 1.0)
    if options.schedule == 'poly':
        factor = (1.0 - share) ** options.power
    else:
        factor = options.factor ** sum(share >= milestone for milestone in options.milestones)
    if step < options.warmup_steps:
        factor *= (step + 1) / (options.warmup_steps + 1)
    return factor


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of each group to its base rate times a factor."""
    for group in optimizer.param_groups:
        group['lr'] = group[_BASE_RATE] * factor


def freeze_batch_norm(network: nn.Module) -> None:
    """Freeze the statistics of batch norm; its weights are still trained."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


class AveragedWeights:
    """
    The exponential running average of a network's weights and statistics.

    ``decay`` is the share of the old average that a step keeps; the first steps keep less.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._values = {key: value.clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Add the current weights of a network to the average."""
        self.updates += 1
        # Keep less at first, so that the initial weights lose their influence soon.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages: list[Tensor] = []
        values: list[Tensor] = []
        for key, value in network.state_dict().items():
            average = self._values[key]
            if average.is_floating_point():
                averages.append(average)
                values.append(value)
            else:
                average.copy_(value)
        # One operation for all tensors: one per tensor would take milliseconds per step on a GPU.
        torch._foreach_lerp_(averages, values, 1 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averages, by the keys of the network's state dict."""
        return self._values

    def load_state_dict(self, state: Mapping[str, Tensor], updates: int) -> None:
        """Load saved averages and their number of updates."""
        self.updates = updates
        for key, value in state.items():
            self._values[key].copy_(value)
