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
from pathlib import Path
import time

import torch
from torch import Tensor
from tqdm import tqdm

from hydranet_ros.data.caching import open_dataset
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, save_bundle
from hydranet_ros.model.network import HydraNet, TRAINED_UPSAMPLING
from hydranet_ros.model.provenance import provenance_of
from hydranet_ros.training.batches import Batch, load_batches, TrainingBatches
from hydranet_ros.training.bundle_metadata import describe_training, metadata_of
from hydranet_ros.training.checkpoint import load_state, save_state, TrainingState
from hydranet_ros.training.distributed import launch, ProcessGroup
from hydranet_ros.training.malloc_settings import keep_freed_memory
from hydranet_ros.training.monitor import compare, Monitor
from hydranet_ros.training.network_with_loss import channels_last, make_objective
from hydranet_ros.training.optimization import (
    AveragedWeights,
    freeze_batch_norm,
    make_optimizer,
    rate_factor,
    set_rates,
)
from hydranet_ros.training.recipe import Recipe
from hydranet_ros.training.selection import Best, Figures, summarize
from hydranet_ros.training.stop_request import StopRequest
from hydranet_ros.training.validation import examine

STATE_NAME = 'last.pt'


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
        torch.manual_seed(recipe.seed)
        directory.mkdir(parents=True, exist_ok=True)
        self.fabric = launch(recipe.precision, accelerator)
        self.reduction = ProcessGroup(self.fabric)
        self.datasets = [
            open_dataset(part.dataset, part.split, variables, recipe.cache)
            for part in recipe.mixture
        ]
        self.examinations = [
            (exam, load_dataset(exam.dataset, exam.split, variables)) for exam in recipe.evaluation
        ]
        self.metadata = metadata_of(recipe)
        objective = make_objective(recipe, self.metadata, self.datasets, self.reduction)
        self.network, self.criterion = objective.network, objective.criterion
        self.objective, self.optimizer = self.fabric.setup(
            objective,
            make_optimizer(self.network, self.criterion.parameters(), recipe.optimization),
        )
        self.step = 0
        strides = [exam.stride for exam in recipe.evaluation]
        self.best = Best(recipe.best, f'{recipe.best} of strides {strides}')
        decay = recipe.optimization.ema
        self.average = AveragedWeights(self.network, decay) if decay else None
        if (directory / STATE_NAME).is_file():
            self._restore(load_state(directory / STATE_NAME))
        # Now, when all is read: by the end of a long training the files may be others.
        self.made_with = provenance_of(__name__)
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
                        self.fabric.backward(loss / options.accumulate)
                    # Behind the backward pass: reading the loss waits for a GPU to be done.
                    self._require_finite(loss, batch)
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
        figures = self.evaluate()
        if self.recipe.complete and any(exam.stride > 1 for exam, _ in self.examinations):
            figures = self.evaluate(complete=True)
        self.monitor.close()
        if self.fabric.is_global_zero:
            self._write_model(recipe.name, figures)
        self.fabric.barrier()
        return self.directory / f'{recipe.name}.safetensors'

    def evaluate(self, complete: bool = False) -> Figures:
        """
        Measure the averaged weights on the recipe's evaluation data, and keep the best.

        Parameters
        ----------
        complete
            Whether to take all images, whatever the recipe's strides. What that finds is logged
            as ``DATASET complete``, and compared with no evaluation of fewer images.

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
                group = f'{dataset.name} complete' if complete else dataset.name
                self.monitor.scalars(self.step, group, findings.figures)
                for number, (sample, fields) in enumerate(findings.pictures):
                    picture = compare(sample, fields, self.recipe.depth_range)
                    self.monitor.picture(self.step, f'{group}/{number}', picture)
            taken = 'all images' if complete else f'step {self.step}'
            self._say(f'{taken}: {summarize(figures)}')
            if not complete and self.best.improved(figures):
                self._write_model(f'{self.recipe.name}_best', figures)
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
                    best=self.best.value,
                    best_of=self.best.of,
                    recipe=dataclasses.asdict(self.recipe),
                ),
            )
        self.fabric.barrier()

    def _train_mode(self) -> None:
        self.objective.train()
        if self.recipe.optimization.freeze_batch_norm:
            freeze_batch_norm(self.network)

    def _shipped_network(self) -> HydraNet:
        network = channels_last(HydraNet(self.recipe.channels(), TRAINED_UPSAMPLING))
        network.load_state_dict((self.average or self.network).state_dict())
        return network.eval()

    def _write_model(self, name: str, figures: Figures) -> Path:
        provenance = describe_training(
            self.recipe, self.datasets, self.step, self.overrides, self.made_with
        )
        metadata = metadata_of(self.recipe, provenance, figures)
        path = self.directory / f'{name}.safetensors'
        save_bundle(path, Bundle.from_network(metadata, self._shipped_network()))
        return path

    def _require_finite(self, loss: Tensor, batch: Batch) -> None:
        if not math.isfinite(float(self.reduction.sum(loss.detach()))):
            raise HydranetError(
                f'The loss is not finite at step {self.step + 1} with {", ".join(batch.names)}; '
                f'look at these files or lower the learning rates, then train on from '
                f'{self.directory}.'
            )

    def _restore(self, state: TrainingState) -> None:
        state.require_recipe(dataclasses.asdict(self.recipe), self.directory)
        self.step = state.step
        if state.best_of == self.best.of:
            self.best.value = state.best
        self.network.load_state_dict(state.network)
        self.criterion.load_state_dict(state.criterion)
        self.optimizer.load_state_dict(dict(state.optimizer))
        if self.average is not None:
            self.average.load_state_dict(state.average, state.average_updates)
        torch.set_rng_state(state.random)
        self._say(f'going on from step {self.step} of {self.directory}')

    def _log(self, loss: Tensor, losses: Mapping[str, Tensor], factor: float, rate: float) -> None:
        count = self.reduction.processes
        values = {
            'loss': float(self.reduction.sum(loss.detach())) / count,
            **{task: float(self.reduction.sum(part)) / count for task, part in losses.items()},
            **{f'weight_{task}': weight for task, weight in self.criterion.learned.items()},
            'rate_factor': factor,
            'images_per_second': rate,
        }
        self.monitor.scalars(self.step, 'training', values)
        text = ', '.join(f'{name} {value:.4g}' for name, value in values.items())
        self._say(f'step {self.step}/{self.recipe.steps}: {text}')

    def _say(self, text: str) -> None:
        if self.fabric.is_global_zero:
            tqdm.write(f'{time.strftime("%H:%M:%S")} {text}')
