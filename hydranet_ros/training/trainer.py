# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The training: a loop over steps that can be stopped and goes on exactly where it was.

One process or many (``torchrun``), on whatever device Lightning Fabric finds; a step draws one
batch from the mixture, which the processes share among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import math
import os
from pathlib import Path
import time
from typing import Any

from lightning_fabric import Fabric
import numpy as np
import torch
from torch import nn, Tensor
from tqdm import tqdm

from hydranet_ros.bundle import Bundle, BundleMetadata, save_bundle
from hydranet_ros.errors import HydranetError
from hydranet_ros.network import HEAD_PREFIX, HydraNet
from hydranet_ros.training.balance import class_weights
from hydranet_ros.training.batches import Batch, CachedDataset, load_batches, TrainingBatches
from hydranet_ros.training.checkpoint import load_state, save_state, TrainingState
from hydranet_ros.training.datasets import load_dataset
from hydranet_ros.training.encoder import initialize
from hydranet_ros.training.export import describe_training, metadata_of
from hydranet_ros.training.interrupts import StopRequest
from hydranet_ros.training.losses import Criterion
from hydranet_ros.training.memory import keep_freed_memory
from hydranet_ros.training.monitor import compare, Monitor
from hydranet_ros.training.optimization import (
    AveragedWeights,
    freeze_batch_norm,
    make_optimizer,
    rate_factor,
    set_rates,
)
from hydranet_ros.training.recipe import Recipe
from hydranet_ros.training.sample import Dataset
from hydranet_ros.training.validation import examine, normalize

STATE_NAME = 'last.pt'
HIGHER_IS_BETTER = frozenset(
    {'mean_iou', 'pixel_accuracy', 'mean_accuracy', 'delta1', 'delta2', 'delta3'}
    | {'below_11_25', 'below_22_5', 'below_30'}
)
MAY_CHANGE = frozenset(
    {'steps', 'evaluation', 'best', 'description', 'license', 'workers', 'threads', 'cache'}
    | {'log_every', 'evaluate_every', 'save_every', 'default_focal'}
)
"""What a training that goes on may change of its recipe."""


class Objective(nn.Module):
    """Network and loss as one module, so that all processes average all gradients."""

    def __init__(self, network: HydraNet, criterion: Criterion, metadata: BundleMetadata) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self._metadata = metadata

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, and each task's own."""
        outputs = self.network(normalize(batch.image, self._metadata))
        return self.criterion(outputs, batch)  # type: ignore[no-any-return]


class ProcessGroup:
    """The reduction over the processes that Fabric has launched."""

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self.processes = fabric.world_size

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum over the processes."""
        return self._fabric.all_reduce(value, reduce_op='sum')  # type: ignore[return-value]

    def max(self, value: Tensor) -> Tensor:
        """Return the maximum over the processes."""
        return self._fabric.all_reduce(value, reduce_op='max')  # type: ignore[return-value]


class Trainer:
    """
    One training.

    Parameters
    ----------
    recipe
        What to do.
    variables
        Values for the dataset files' variables.
    directory
        Where checkpoints, logs and model files go. If it holds a checkpoint, the training goes
        on from it.
    overrides
        What was set on the command line, for the provenance.
    accelerator
        Lightning Fabric's: ``auto``, ``cpu``, ``cuda``.

    Raises
    ------
    HydranetError
        If data are missing or damaged, or the directory holds another recipe's training.

    """

    def __init__(
        self,
        recipe: Recipe,
        variables: Mapping[str, str],
        directory: Path,
        overrides: Sequence[str] = (),
        accelerator: str = 'auto',
    ) -> None:
        keep_freed_memory()
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        self.recipe = recipe
        self.directory = directory
        self.overrides = tuple(overrides)
        self.fabric = _launch(recipe, accelerator)
        self.step = 0
        self.best: float | None = None
        torch.manual_seed(recipe.seed)
        directory.mkdir(parents=True, exist_ok=True)

        self.datasets = [
            _open(part.dataset, part.split, variables, recipe.cache) for part in recipe.mixture
        ]
        self.examinations = [
            (exam, load_dataset(exam.dataset, exam.split, variables)) for exam in recipe.evaluation
        ]
        group = ProcessGroup(self.fabric)
        self.reduction = group
        self.metadata = metadata_of(recipe)
        network = _start_network(recipe)
        criterion = Criterion(
            {task: recipe.losses.weights[task] for task in recipe.tasks},
            [slice(piece.start, piece.stop) for piece in self.metadata.label_slices],
            [torch.from_numpy(w) for w in class_weights(recipe, self.datasets)],
            depth_space='log' if recipe.losses.depth_space == 'log' else 'linear',
            learned=recipe.losses.weighting == 'uncertainty',
            reduction=group,
        )
        optimizer = make_optimizer(network, criterion.parameters(), recipe.optimization)
        self.network = network
        self.criterion = criterion
        self.objective, self.optimizer = self.fabric.setup(
            Objective(network, criterion, self.metadata), optimizer
        )
        decay = recipe.optimization.ema
        self.average = AveragedWeights(network, decay) if decay else None
        if (directory / STATE_NAME).is_file():
            self._restore(load_state(directory / STATE_NAME))
        self.monitor = Monitor(directory, self.step, self.fabric.is_global_zero)

    def run(self) -> Path | None:
        """
        Train to the end of the recipe.

        Returns
        -------
        Path or None
            The model file; None if the training was asked to stop before its end, with its state
            saved.

        Raises
        ------
        HydranetError
            If the loss is not finite; the batch's files are named.

        """
        recipe, options = self.recipe, self.recipe.optimization
        batches = load_batches(
            TrainingBatches(
                self.datasets, recipe, self.fabric.global_rank, self.fabric.world_size
            ),
            self.step * options.accumulate,
            recipe.workers,
        )
        progress = tqdm(
            total=recipe.steps,
            initial=self.step,
            desc=recipe.name,
            unit='step',
            disable=None if self.fabric.is_global_zero else True,
        )
        began, images = time.perf_counter(), 0
        with StopRequest(self.reduction) as stop, progress:
            while self.step < recipe.steps:
                self._train_mode()
                factor = rate_factor(self.step, recipe.steps, options)
                set_rates(self.optimizer, factor)
                for part in range(options.accumulate):
                    batch = next(batches).to(self.fabric.device)
                    last = part == options.accumulate - 1
                    with self.fabric.no_backward_sync(self.objective, enabled=not last):
                        loss, losses = self.objective(batch)
                        self._require_finite(loss, batch)
                        self.fabric.backward(loss / options.accumulate)
                if options.clip:
                    self.fabric.clip_gradients(
                        self.objective, self.optimizer, max_norm=options.clip
                    )
                self.optimizer.step()
                self.optimizer.zero_grad()
                if self.average is not None:
                    self.average.update(self.network)
                self.step += 1
                progress.update()

                images += recipe.batch * options.accumulate
                if self.step % recipe.log_every == 0:
                    seconds = time.perf_counter() - began
                    self._log(loss, losses, factor, images / seconds)
                    began, images = time.perf_counter(), 0
                if self.step % recipe.evaluate_every == 0 and self.step < recipe.steps:
                    self.evaluate()
                    began, images = time.perf_counter(), 0
                if self.step % recipe.save_every == 0 or self.step == recipe.steps:
                    self.save()
                if stop.requested and self.step < recipe.steps:
                    self.save()
                    return None
        figures = self.evaluate(complete=True)
        self.monitor.close()
        return self.export(self.directory / f'{recipe.name}.safetensors', figures)

    def evaluate(self, complete: bool = False) -> dict[str, dict[str, float]]:
        """
        Measure the averaged weights on the recipe's evaluation data.

        Parameters
        ----------
        complete
            Whether to take all images, whatever the recipe's strides.

        Returns
        -------
        dict
            ``dataset/split`` to figures.

        """
        figures: dict[str, dict[str, float]] = {}
        if self.fabric.is_global_zero:
            network = self._shipped_network().to(self.fabric.device)
            for exam, dataset in self.examinations:
                findings = examine(
                    network,
                    dataset,
                    self.metadata,
                    tasks=exam.tasks,
                    stride=1 if complete else exam.stride,
                    device=self.fabric.device,
                )
                figures[dataset.name] = findings.figures
                self.monitor.scalars(self.step, dataset.name, findings.figures)
                for number, (sample, fields) in enumerate(findings.pictures):
                    picture = compare(sample, fields, _shown_range(self.recipe))
                    self.monitor.picture(self.step, f'{dataset.name}/{number}', picture)
            self._say(f'step {self.step}: {_summary(figures)}')
            self._keep_best(figures)
        self.fabric.barrier()
        return figures

    def save(self) -> None:
        """Write the state from which the training goes on."""
        if self.fabric.is_global_zero:
            average = self.average
            save_state(
                self.directory / STATE_NAME,
                TrainingState(
                    step=self.step,
                    network=self.network.state_dict(),
                    criterion=self.criterion.state_dict(),
                    average=average.state_dict() if average else {},
                    average_updates=average.updates if average else 0,
                    optimizer=self.optimizer.state_dict(),
                    random=torch.get_rng_state(),
                    best=self.best,
                    recipe=dataclasses.asdict(self.recipe),
                ),
            )
        self.fabric.barrier()

    def export(self, path: Path, figures: Mapping[str, Any]) -> Path:
        """Write the averaged weights as a model file."""
        if self.fabric.is_global_zero:
            provenance = describe_training(self.recipe, self.datasets, self.step, self.overrides)
            metadata = metadata_of(self.recipe, provenance, figures)
            save_bundle(path, Bundle.from_network(metadata, self._shipped_network()))
        self.fabric.barrier()
        return path

    def _train_mode(self) -> None:
        self.objective.train()
        if self.recipe.optimization.freeze_batch_norm:
            freeze_batch_norm(self.network)

    def _shipped_network(self) -> HydraNet:
        network = HydraNet(self.recipe.channels()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        source = self.average or self.network
        network.load_state_dict(source.state_dict())
        return network.eval()  # type: ignore[no-any-return]

    def _require_finite(self, loss: Tensor, batch: Batch) -> None:
        if not math.isfinite(float(self.reduction.sum(loss.detach()))):
            raise HydranetError(
                f'The loss is not finite at step {self.step + 1} with {", ".join(batch.names)}; '
                f'look at these files or lower the learning rates, then train on from '
                f'{self.directory}.'
            )

    def _restore(self, state: TrainingState) -> None:
        recipe = dataclasses.asdict(self.recipe)
        changed = sorted(
            key for key in recipe if key not in MAY_CHANGE and recipe[key] != state.recipe.get(key)
        )
        if changed:
            raise HydranetError(
                f'{self.directory} holds a training with another recipe ({", ".join(changed)}); '
                'choose another directory or remove it.'
            )
        self.step = state.step
        self.best = state.best
        self.network.load_state_dict(state.network)
        self.criterion.load_state_dict(state.criterion)
        self.optimizer.load_state_dict(dict(state.optimizer))
        if self.average is not None:
            self.average.load_state_dict(state.average, state.average_updates)
        torch.set_rng_state(state.random)
        self._say(f'going on from step {self.step} of {self.directory}')

    def _keep_best(self, figures: Mapping[str, Mapping[str, float]]) -> None:
        place, _, name = self.recipe.best.partition(' ')
        if not self.recipe.best:
            place, name = next(
                ((key, next(iter(values))) for key, values in figures.items() if values), ('', '')
            )
        value = figures.get(place, {}).get(name)
        if value is None or not math.isfinite(value):
            return
        sign = 1 if name in HIGHER_IS_BETTER else -1
        if self.best is None or sign * value > sign * self.best:
            self.best = value
            path = self.directory / f'{self.recipe.name}_best.safetensors'
            metadata = metadata_of(
                self.recipe,
                describe_training(self.recipe, self.datasets, self.step, self.overrides),
                figures,
            )
            save_bundle(path, Bundle.from_network(metadata, self._shipped_network()))

    def _log(self, loss: Tensor, losses: Mapping[str, Tensor], factor: float, rate: float) -> None:
        count = self.reduction.processes
        values = {
            'loss': float(self.reduction.sum(loss.detach())) / count,
            **{task: float(self.reduction.sum(part)) / count for task, part in losses.items()},
            'rate_factor': factor,
            'images_per_second': rate,
        }
        self.monitor.scalars(self.step, 'training', values)
        text = ', '.join(f'{name} {value:.4g}' for name, value in values.items())
        self._say(f'step {self.step}/{self.recipe.steps}: {text}')

    def _say(self, text: str) -> None:
        if self.fabric.is_global_zero:
            tqdm.write(f'{time.strftime("%H:%M:%S")} {text}')


def _launch(recipe: Recipe, accelerator: str) -> Fabric:
    """Join the processes that torchrun started, or be the only one."""
    processes = int(os.environ.get('WORLD_SIZE', '1'))
    here = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    fabric = Fabric(
        accelerator=accelerator,
        devices=here,
        num_nodes=max(processes // here, 1),
        strategy='ddp' if processes > 1 else 'auto',
        precision=recipe.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def _open(config: str, split: str, variables: Mapping[str, str], cache: bool) -> Dataset:
    dataset = load_dataset(config, split, variables)
    if not cache:
        return dataset
    cached = CachedDataset(dataset)
    cached.fill()
    return cached


def _start_network(recipe: Recipe) -> HydraNet:
    network = HydraNet(recipe.channels())
    if recipe.encoder:
        initialize(network, recipe.encoder)
    if 'depth' in recipe.tasks:
        # abs() has no slope to learn by at zero; start where depth is.
        head = network.get_submodule(HEAD_PREFIX['depth'])
        nn.init.constant_(head.bias, recipe.initial_depth)  # type: ignore[arg-type]
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _shown_range(recipe: Recipe) -> tuple[float, float]:
    minimum, maximum = recipe.depth_range
    return float(minimum), float(np.sqrt(minimum * maximum) * 10) if maximum > 20 else maximum


def _summary(figures: Mapping[str, Mapping[str, float]]) -> str:
    shown = ('mean_iou', 'abs_rel', 'delta1', 'rmse', 'mean')
    return '; '.join(
        f'{place}: ' + ', '.join(f'{n} {values[n]:.4f}' for n in shown if n in values)
        for place, values in figures.items()
    )
