# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What a training is: the dataclasses behind ``config/training/*.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydranet_ros.data.configuration import apply_overrides, build, own_variables, substitute
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.resources import config_path, read_yaml
from hydranet_ros.training.transforms import Augmentation, Stretch


@dataclass(frozen=True)
class Ingredient:
    """
    One dataset of the mixture.

    Attributes
    ----------
    dataset
        Dataset file, or the name of one in ``config/datasets/``.
    split
        One of its splits.
    share
        Its share of the samples.
    scale
        Smallest and largest factor that its images are resized by. If part of the range fills
        the crop, only that part is drawn from.
    stretch
        How its world is stretched; none if absent.
    weights
        Task name to how much an annotated pixel of this dataset counts (default: 1), e.g. less
        where labels are distilled.
    unknown_classes
        Classes of its label set that its annotator does not know, and calls something else: they
        take no part in the loss of its samples, so that they are not taught away.

    """

    dataset: str
    split: str = 'train'
    share: float = 1.0
    scale: tuple[float, float] = (0.8, 1.6)
    stretch: Stretch | None = None
    weights: dict[str, float] = field(default_factory=dict)
    unknown_classes: tuple[str, ...] = ()

    def fault(self) -> str | None:
        """Return what the types do not say and is wrong; None if nothing is."""
        stretch = self.stretch or Stretch()
        ranges = {
            'scale': self.scale,
            'stretch.width': stretch.width,
            'stretch.height': stretch.height,
        }
        for key, (smallest, largest) in ranges.items():
            if not 0 < smallest <= largest:
                return f'{key} is not a smallest and a largest factor'
        if not 0 < stretch.horizon < 1:
            return 'stretch.horizon is not between 0 and 1'
        return None


@dataclass(frozen=True)
class Examination:
    """
    A dataset that the network is evaluated on during training.

    Attributes
    ----------
    dataset, split
        As for an ingredient.
    tasks
        Tasks to measure; all that are annotated if empty.
    stride
        Take every n-th image, to save time.

    """

    dataset: str
    split: str
    tasks: tuple[str, ...] = ()
    stride: int = 1


@dataclass(frozen=True)
class Optimization:
    """
    How weights are moved.

    Attributes
    ----------
    method
        ``sgd`` or ``adamw``.
    encoder_rate, decoder_rate
        Learning rates at the start.
    weights_rate
        The same of the tasks' weights, where they are learned. They have far to go: their best
        values are minus the logarithms of the losses.
    momentum
        Of SGD.
    weight_decay
        Of all weights but biases and batch norm.
    schedule
        ``poly`` (Chen et al., DeepLab): ``(1 - step / steps) ** power``; or ``step``: times
        ``factor`` at each of ``milestones``, shares of the training between 0 and 1.
    warmup_steps
        Steps over which the rates rise linearly from zero.
    clip
        Largest norm of the gradient; 0 for none.
    accumulate
        Batches that make one step.
    ema
        Decay of the running average of the weights that is evaluated and shipped; 0 for none.
    freeze_batch_norm
        Whether batch norm keeps the statistics that it came with.

    """

    method: str = 'sgd'
    encoder_rate: float = 1e-3
    decoder_rate: float = 1e-2
    weights_rate: float = 2e-2
    momentum: float = 0.9
    weight_decay: float = 1e-5
    schedule: str = 'poly'
    power: float = 0.9
    milestones: tuple[float, ...] = ()
    factor: float = 0.5
    warmup_steps: int = 0
    clip: float = 0.0
    accumulate: int = 1
    ema: float = 0.0
    freeze_batch_norm: bool = True


@dataclass(frozen=True)
class Losses:
    """
    What is minimised.

    Attributes
    ----------
    weights
        Task name to weight in the sum.
    weighting
        ``fixed``, or ``uncertainty``: the weights are learned (Kendall et al. 2018).
    depth_space
        ``linear``: berHu of metres, as the paper. ``log``: of their logarithms, so that near and
        far rooms and streets count alike.
    balance
        Label set to exponent b: a class weighs in proportion to its frequency to the power -b.
    lovasz
        Weight of the Lovasz-softmax loss beside the cross entropy; 0 for cross entropy alone, as
        the paper.

    """

    weights: dict[str, float] = field(
        default_factory=lambda: {'segmentation': 0.5, 'depth': 0.5, 'normals': 0.5}
    )
    weighting: str = 'fixed'
    depth_space: str = 'linear'
    balance: dict[str, float] = field(default_factory=dict)
    lovasz: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """
    A training, whole.

    Attributes
    ----------
    name
        Name of the model.
    description, license
        For the model card.
    tasks
        Names of its tasks.
    label_sets
        Its label sets, in the order of their logits.
    mixture, evaluation
        What it is trained and evaluated on.
    complete
        Whether a last evaluation takes all images, whatever the strides.
    best
        ``DATASET/SPLIT FIGURE`` by which the best checkpoint is kept, e.g. ``camvid/val
        mean_iou``; empty for the first figure measured.
    encoder
        File with the encoder's weights from ImageNet, or a bundle to start from; empty for none.
    canonical_focal, default_focal, depth_range
        As in the bundle.
    crops
        Heights and widths of the samples, in pixels: the batches take them in turns.
    batch, steps, seed
        Samples a batch, over all processes; optimizer steps; seed of all chance.
    workers, threads, cache
        Processes that load; threads that compute (0: torch decides); whether decoded samples are
        kept in memory.
    precision
        Lightning Fabric's: ``32-true``, ``bf16-mixed``, ``16-mixed``.
    log_every, evaluate_every, save_every
        In steps.

    """

    name: str
    tasks: tuple[str, ...]
    mixture: tuple[Ingredient, ...]
    steps: int
    label_sets: tuple[str, ...] = ()
    description: str = ''
    license: str = 'unknown'
    evaluation: tuple[Examination, ...] = ()
    complete: bool = True
    best: str = ''
    encoder: str = ''
    canonical_focal: float | None = None
    default_focal: float | None = None
    depth_range: tuple[float, float] = (0.1, 100.0)
    crops: tuple[tuple[int, int], ...] = ((320, 320),)
    batch: int = 8
    seed: int = 1
    workers: int = 1
    threads: int = 0
    cache: bool = True
    precision: str = '32-true'
    log_every: int = 10
    evaluate_every: int = 500
    save_every: int = 100
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimization: Optimization = field(default_factory=Optimization)
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        """
        Check what the types do not say.

        Raises
        ------
        HydranetError
            If something contradicts itself.

        """
        fault = self._fault()
        if fault:
            raise HydranetError(f'Recipe {self.name!r} cannot be trained: {fault}.')

    def _fault(self) -> str | None:
        for task in self.tasks:
            if task not in TASKS:
                return f'its task {task!r} is unknown (known are {", ".join(TASKS)})'
            if task not in self.losses.weights:
                return f'losses.weights lacks its task {task!r}'
        if bool(self.label_sets) != ('segmentation' in self.tasks):
            return 'label_sets go with the task segmentation, and it with them'
        choices = (
            ('optimization.method', self.optimization.method, ('sgd', 'adamw')),
            ('optimization.schedule', self.optimization.schedule, ('poly', 'step')),
            ('losses.weighting', self.losses.weighting, ('fixed', 'uncertainty')),
            ('losses.depth_space', self.losses.depth_space, ('linear', 'log')),
        )
        for key, value, known in choices:
            if value not in known:
                return f'{key} is {value!r}, which is none of {", ".join(known)}'
        positive = ('steps', 'batch', 'log_every', 'evaluate_every', 'save_every')
        for key in positive:
            if getattr(self, key) < 1:
                return f'{key} is not positive'
        if not self.mixture or min(part.share for part in self.mixture) <= 0:
            return 'mixture needs datasets with positive shares'
        for part in self.mixture:
            if fault := part.fault():
                return f'{fault} in its ingredient {part.dataset}'
        if not self.crops or min(map(min, self.crops)) < 32:
            return 'crops needs sizes of 32 pixels and more'
        return None

    def channels(self) -> dict[str, int]:
        """Return the number of output channels of each task."""
        classes = sum(load_label_set(name).size for name in self.label_sets)
        return {task: TASKS[task].fixed_channels or classes for task in self.tasks}


def load_recipe(
    config: str | Path, overrides: Sequence[str] = ()
) -> tuple[Recipe, Mapping[str, str]]:
    """
    Read a recipe.

    Parameters
    ----------
    config
        Path of its YAML file, or the name of one in ``config/training/``.
    overrides
        ``key=value`` or ``section.key=value``; a key that is no field of a recipe is a variable,
        for ``${key}`` in it and in its dataset files.

    Returns
    -------
    tuple
        The recipe, and its variables for the dataset files.

    Raises
    ------
    HydranetError
        If there is no such file, or it is wrong.

    """
    path = Path(config).expanduser()
    if path.suffix not in ('.yaml', '.yml'):
        path = config_path(f'training/{config}.yaml')
    content: dict[str, Any] = read_yaml(path)
    content['variables'] = own_variables(content)
    apply_overrides(content, overrides, str(path), Recipe)
    variables = content.pop('variables')
    content = substitute(content, variables, str(path))
    content.setdefault('name', path.stem)
    return build(Recipe, content, str(path)), variables
