# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The training loop, which can be stopped at any step and resumed.

On a CPU, a resumed training ends with exactly the weights of an uninterrupted one. Training uses
one process or many (``torchrun``), on any device that Lightning Fabric finds. Each step takes one
batch from the mixture of datasets and divides it among the processes.
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

from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, save_bundle
from hydranet_ros.model.network import HydraNet
from hydranet_ros.model.provenance import provenance_of
from hydranet_ros.training.batches import account_of_data, load_batches, TrainingBatches
from hydranet_ros.training.bundle_metadata import (
    describe_training,
    inherited_license,
    metadata_of,
    starting_model,
    trained_focals,
)
from hydranet_ros.training.checkpoint import load_state, save_state, TrainingState
from hydranet_ros.training.distributed import launch, Reduction
from hydranet_ros.training.initial_weights import new_network
from hydranet_ros.training.malloc_settings import keep_freed_memory
from hydranet_ros.training.monitor import draw_comparison, Monitor, RateMeter
from hydranet_ros.training.network_evaluation import evaluate_network
from hydranet_ros.training.network_with_loss import NetworkWithLoss
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

STATE_NAME = 'last.pt'


class Trainer:
    """
    A training, which resumes from the checkpoint in its directory if there is one.

    Raises HydranetError if data are missing or damaged, or the checkpoint is of another recipe.

    Parameters
    ----------
    variables
        Values of the variables in the dataset files.
    directory
        Folder for checkpoints, logs and model files.
    command
        The words of the command line, for the provenance.
    accelerator
        Accelerator of Lightning Fabric: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    """

    def __init__(
        self,
        recipe: Recipe,
        variables: Mapping[str, str],
        directory: Path,
        command: Sequence[str] = (),
        accelerator: str = 'auto',
    ) -> None:
        self.recipe = recipe
        self.directory = directory
        self.command = tuple(command)
        directory.mkdir(parents=True, exist_ok=True)

        # Processes, threads, seed.
        keep_freed_memory()
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.fabric = launch(recipe.precision, accelerator)
        self.reduction = Reduction(self.fabric)

        # Data.
        self.datasets = [
            load_dataset(part.dataset, part.split, variables, in_memory=recipe.cache)
            for part in recipe.mixture
        ]
        self.evaluation_data = [
            (part, load_dataset(part.dataset, part.split, variables)) for part in recipe.evaluation
        ]

        for line in account_of_data(recipe, self.datasets):
            self._print(line)

        # Network, loss, optimizer.
        self.focal_range = recipe.focal_range or trained_focals(recipe, self.datasets)
        self.metadata = metadata_of(recipe)
        model = NetworkWithLoss(recipe, self.metadata, self.datasets, self.reduction)
        self.network, self.criterion = model.network, model.criterion
        optimizer = make_optimizer(self.network, self.criterion.parameters(), recipe.optimization)
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        decay = recipe.optimization.ema
        self.average = AveragedWeights(self.network, decay) if decay else None

        # Progress.
        self.step = 0
        strides = [part.stride for part in recipe.evaluation]
        self.best = Best(recipe.best, f'{recipe.best} of strides {strides}')
        if (directory / STATE_NAME).is_file():
            self._restore(load_state(directory / STATE_NAME))
        else:
            self._print(model.start)
        # Read code, input files and starting weights now: they may change during a long training.
        self.made_with = provenance_of(__name__)
        self.start = starting_model(recipe)
        self.monitor = Monitor(directory, self.step, self.fabric.is_global_zero)

    def run(self) -> Path | None:
        """
        Train to the end of the recipe, and return the model file.

        Returns None if a signal stopped the training; its state is then saved. Raises
        HydranetError, which names the files of the batch, if the loss is not finite.
        """
        fabric, recipe, options = self.fabric, self.recipe, self.recipe.optimization
        # Batch n only depends on the recipe and n, so resuming only needs the next batch's number.
        batches = load_batches(
            TrainingBatches(self.datasets, recipe, fabric.global_rank, fabric.world_size),
            self.step * options.accumulate,
            recipe.workers,
        )
        progress = tqdm(
            total=recipe.steps,
            initial=self.step,
            desc=recipe.name,
            unit='step',
            disable=None if fabric.is_global_zero else True,
        )
        self.model.train()
        if options.freeze_batch_norm:
            freeze_batch_norm(self.network)
        rate = RateMeter()
        with StopRequest(self.reduction) as stop, progress:
            while self.step < recipe.steps:
                factor = rate_factor(self.step, recipe.steps, options)
                set_rates(self.optimizer, factor)

                # Forward and backward. Processes exchange gradients after the step's last batch.
                losses: dict[str, Tensor] = {}
                for part in range(options.accumulate):
                    batch = next(batches).to(fabric.device)
                    last = part == options.accumulate - 1
                    with fabric.no_backward_sync(self.model, enabled=not last):
                        loss, of_tasks = self.model(batch)
                        fabric.backward(loss / options.accumulate)
                    parts = {'loss': loss.detach(), **of_tasks}
                    losses = {name: losses.get(name, 0.0) + parts[name] for name in parts}
                    # Checked after the backward pass, since reading the loss waits for the GPU.
                    if not math.isfinite(float(self.reduction.sum(loss.detach()))):
                        raise HydranetError(
                            f'The loss is not finite at step {self.step + 1} with '
                            f'{", ".join(batch.names)}; check these files or lower the learning '
                            f'rates, then resume from {self.directory}.'
                        )

                # Update the weights, and their running average, which is evaluated.
                if options.clip:
                    fabric.clip_gradients(self.model, self.optimizer, max_norm=options.clip)
                self.optimizer.step()
                self.optimizer.zero_grad()
                if self.average is not None:
                    self.average.update(self.network)
                self.step += 1
                progress.update()

                # Log, evaluate, save. Time for evaluations does not lower the images per second.
                rate.add(recipe.batch * options.accumulate)
                if self.step % recipe.log_every == 0:
                    self._log(losses, factor, rate.restart())
                if self.step % recipe.save_every == 0 or self.step == recipe.steps:
                    self.save()
                if self.step % recipe.evaluate_every == 0 and self.step < recipe.steps:
                    self.evaluate()
                    self.save()  # stores the best value so far
                    rate.restart()
                if stop.requested and self.step < recipe.steps:
                    self.save()
                    return None

        figures = self.evaluate()
        if recipe.complete and any(part.stride > 1 for part, _ in self.evaluation_data):
            figures = self.evaluate(complete=True)
        self.monitor.close()
        if fabric.is_global_zero:
            self._write_model(recipe.name, figures)
        fabric.barrier()
        return self.directory / f'{recipe.name}.safetensors'

    def evaluate(self, complete: bool = False) -> Figures:
        """
        Measure the network on the recipe's evaluation data, and save the best model so far.

        The averaged weights are measured, if there are any. With ``complete``, all images are
        measured, whatever the recipe's strides. The figures are then logged as
        ``DATASET complete``, and never select the best model.
        """
        figures: dict[str, dict[str, float]] = {}
        if self.fabric.is_global_zero:
            network = self._shipped_network().to(self.fabric.device)
            for part, dataset in self.evaluation_data:
                found = evaluate_network(
                    network,
                    dataset,
                    self.metadata,
                    tasks=part.tasks,
                    stride=1 if complete else part.stride,
                    device=self.fabric.device,
                )
                figures[dataset.name] = found.figures
                group = f'{dataset.name} complete' if complete else dataset.name
                self.monitor.scalars(self.step, group, found.figures)
                for number, (sample, prediction) in enumerate(found.pictures):
                    picture = draw_comparison(sample, prediction, self.recipe.depth_range)
                    self.monitor.picture(self.step, f'{group}/{number}', picture)
            measured = 'all images' if complete else f'step {self.step}'
            self._print(f'{measured}: {summarize(figures)}')
            if not complete and self.best.improved(figures):
                self._write_model(f'{self.recipe.name}_best', figures)
        self.fabric.barrier()
        return figures

    def save(self) -> None:
        """Save the state, so that the training can be resumed."""
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
        self._print(f'resuming from {self.directory} at step {self.step}')

    def _shipped_network(self) -> HydraNet:
        network = new_network(self.recipe)
        network.load_state_dict((self.average or self.network).state_dict())
        return network.eval()

    def _write_model(self, name: str, figures: Figures) -> None:
        provenance = describe_training(
            self.recipe, self.datasets, self.step, self.command, self.made_with, start=self.start
        )
        metadata = metadata_of(self.recipe, provenance, figures, self.focal_range)
        metadata = dataclasses.replace(
            metadata, license=inherited_license(self.recipe, self.start)
        )
        bundle = Bundle.from_network(metadata, self._shipped_network())
        save_bundle(self.directory / f'{name}.safetensors', bundle)

    def _log(self, losses: Mapping[str, Tensor], factor: float, rate: float) -> None:
        count = self.reduction.processes * self.recipe.optimization.accumulate
        values = {
            **{name: float(self.reduction.sum(total)) / count for name, total in losses.items()},
            **{f'weight_{task}': weight for task, weight in self.criterion.learned.items()},
            'rate_factor': factor,
            'images_per_second': rate,
        }
        self.monitor.scalars(self.step, 'training', values)
        text = ', '.join(f'{name} {value:.4g}' for name, value in values.items())
        seconds = self.recipe.batch * self.recipe.optimization.accumulate / rate
        end = time.localtime(time.time() + seconds * (self.recipe.steps - self.step))
        self._print(
            f'step {self.step}/{self.recipe.steps}: {text}; {seconds:.3g} s a step, training ends '
            f'about {time.strftime("%H:%M on %d %b", end)}'
        )

    def _print(self, text: str) -> None:
        if self.fabric.is_global_zero:
            tqdm.write(f'{time.strftime("%H:%M:%S")} {text}')
