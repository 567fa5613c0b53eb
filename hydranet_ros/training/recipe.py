# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The recipe of a training: the dataclasses behind ``config/training/*.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydranet_ros.data.configuration import (
    build,
    check_overrides,
    read_with_overrides,
    substitute,
    variables_in_files,
)
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.encoders import DEFAULT_ENCODER, ENCODERS
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.resources import config_file
from hydranet_ros.training.transforms import Augmentation, Stretch


@dataclass(frozen=True)
class Ingredient:
    """One dataset of the mixture."""

    dataset: str  # dataset file, or the name of one in config/datasets
    split: str = 'train'
    share: float = 1.0  # of the samples, relative to the other shares
    scale: tuple[float, float] = (0.8, 1.6)
    """
    Smallest and largest factor for resizing images. If some of these factors make the image fill
    the crop, only those are used.
    """
    stretch: Stretch | None = None
    weights: dict[str, float] = field(default_factory=dict)
    """
    Weight of this dataset's annotated pixels, by task name (default: 1). Distilled labels can have
    a lower weight.
    """
    unknown_classes: tuple[str, ...] = ()
    """
    Classes of the label set that the annotator does not know; their pixels have other labels. The
    loss of this dataset's samples excludes these classes, so that they are not unlearned.
    """

    def fault(self) -> str | None:
        """Return what is wrong with the values, None if they are valid."""
        stretch = self.stretch or Stretch()
        ranges = {
            'scale': self.scale,
            'stretch.width': stretch.width,
            'stretch.height': stretch.height,
        }
        for key, (smallest, largest) in ranges.items():
            if not 0 < smallest <= largest:
                return f'`{key}` must be a smallest and a largest factor above 0'
        if not 0 < stretch.horizon < 1:
            return '`stretch.horizon` is not between 0 and 1'
        return None


@dataclass(frozen=True)
class EvaluationData:
    """A dataset that the network is evaluated on during training."""

    dataset: str
    split: str
    tasks: tuple[str, ...] = ()  # tasks to measure; if empty, all annotated tasks
    stride: int = 1  # measure every n-th image only, to save time


@dataclass(frozen=True)
class Optimization:
    """How the weights are updated."""

    method: str = 'sgd'  # sgd or adamw
    encoder_rate: float = 1e-3  # initial learning rate
    decoder_rate: float = 1e-2
    weights_rate: float = 2e-2
    """
    Initial learning rate of learned task weights. It is high, since a weight starts at 1 and its
    optimum is 1 / loss.
    """
    momentum: float = 0.9  # of SGD
    weight_decay: float = 1e-5  # of all weights except biases and batch norm
    schedule: str = 'poly'
    """
    ``poly`` (Chen et al., DeepLab): the initial rate times ``(1 - step / steps) ** power``.
    ``step``: the rate is multiplied by ``factor`` at each of ``milestones``, which are shares of
    the training from 0 to 1.
    """
    power: float = 0.9
    milestones: tuple[float, ...] = ()
    factor: float = 0.5
    warmup_steps: int = 0  # steps over which the rates rise linearly from zero
    clip: float = 0.0  # largest norm of the gradient; 0 for no limit
    accumulate: int = 1  # batches per step
    ema: float = 0.0  # decay of the weight average, which is evaluated and saved; 0: no average
    freeze_batch_norm: bool = True  # keep the initial statistics


@dataclass(frozen=True)
class Losses:
    """The losses of the tasks, and their weights."""

    weights: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TASKS, 0.5))
    """Weight of each task in the sum, by task name."""
    weighting: str = 'fixed'  # fixed, or uncertainty: weights are learned (Kendall et al. 2018)
    depth_space: str = 'linear'
    """
    ``linear``: berHu loss on metres, as in the paper. ``log``: berHu loss on the logarithm of
    metres, so that near and far pixels matter equally.
    """
    depth_tolerance: float = 0.0
    """
    Largest depth error that causes no loss, in metres at the canonical focal length. Choose half
    of the quantisation step of the stored true depth.
    """
    silog: float = 0.0  # weight of the scale-invariant logarithmic error, added to berHu
    depth_gradient: float = 0.0  # weight of the loss on the gradient of log depth, added to berHu
    balance: dict[str, float] = field(default_factory=dict)
    """Exponent b of the class weights, by label set: a class has the weight frequency ** -b."""
    lovasz: float = 0.0
    """Weight of the Lovasz-softmax loss, added to the cross entropy; 0 in the paper."""


@dataclass(frozen=True)
class Recipe:
    """A complete training."""

    name: str
    tasks: tuple[str, ...]
    mixture: tuple[Ingredient, ...]
    steps: int  # optimizer steps
    label_sets: tuple[str, ...] = ()  # in the order of their logits
    kept: tuple[str, ...] = ()  # tasks that no dataset annotates; their heads stay as they are
    description: str = ''
    license: str = 'unknown'
    evaluation: tuple[EvaluationData, ...] = ()
    complete: bool = True  # evaluate all images at the end, without strides
    best: str = ''
    """
    Figure that selects the best model, as ``DATASET/SPLIT FIGURE``, e.g. ``camvid/val mean_iou``;
    empty for the first measured figure.
    """
    architecture: str = DEFAULT_ENCODER  # of the encoder, a key of ENCODERS
    encoder: str = ''
    """
    File with the encoder's ImageNet weights, or a model file to start from; empty for random
    weights.
    """
    canonical_focal: float | None = None  # pixels, see BundleMetadata
    default_focal: float | None = None  # pixels, see BundleMetadata
    default_size: tuple[int, int] | None = None  # width and height, see BundleMetadata
    focal_range: tuple[float, float] | None = None
    """See BundleMetadata; None to compute it from the data, crops and factors of the mixture."""
    depth_range: tuple[float, float] = (0.1, 100.0)  # metres, see BundleMetadata
    crops: tuple[tuple[int, int], ...] = ((320, 320),)
    """Heights and widths of samples; consecutive batches use them in turn."""
    batch: int = 8  # samples, in all processes together
    seed: int = 1
    workers: int = 1  # loader processes
    threads: int = 0  # compute threads; 0: torch decides
    cache: bool = True  # keep decoded samples in memory
    precision: str = '32-true'  # of Lightning Fabric: 32-true, bf16-mixed or 16-mixed
    log_every: int = 10  # steps
    evaluate_every: int = 500  # steps
    save_every: int = 100  # steps
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimization: Optimization = field(default_factory=Optimization)
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        if fault := self._fault():
            raise HydranetError(f'Recipe {self.name!r} cannot be trained: {fault}.')

    def _fault(self) -> str | None:
        for task in self.tasks:
            if task not in TASKS:
                return f'its task {task!r} is unknown; choose from {", ".join(TASKS)}'
            if task not in self.losses.weights:
                return f'`losses.weights` lacks its task {task!r}'
        if bool(self.label_sets) != ('segmentation' in self.tasks):
            return '`label_sets` must be given if, and only if, segmentation is a task'
        choices = (
            ('architecture', self.architecture, tuple(ENCODERS)),
            ('optimization.method', self.optimization.method, ('sgd', 'adamw')),
            ('optimization.schedule', self.optimization.schedule, ('poly', 'step')),
            ('losses.weighting', self.losses.weighting, ('fixed', 'uncertainty')),
            ('losses.depth_space', self.losses.depth_space, ('linear', 'log')),
        )
        for key, value, known in choices:
            if value not in known:
                return f'`{key}` is {value!r}, which is not one of {", ".join(known)}'
        for key in ('steps', 'batch', 'log_every', 'evaluate_every', 'save_every'):
            if getattr(self, key) < 1:
                return f'`{key}` is not positive'
        if not self.mixture or min(part.share for part in self.mixture) <= 0:
            return '`mixture` needs datasets with positive shares'
        for part in self.mixture:
            if fault := part.fault():
                return f'{fault} in its ingredient {part.dataset}'
        if not self.crops or min(map(min, self.crops)) < 32:
            return '`crops` needs sizes of at least 32 pixels'
        return None

    def channels(self) -> dict[str, int]:
        """Return the number of output channels of each task."""
        classes = sum(load_label_set(name).size for name in self.label_sets)
        return {task: TASKS[task].fixed_channels or classes for task in self.tasks}


def load_recipe(
    config: str | Path, overrides: Sequence[str] = ()
) -> tuple[Recipe, Mapping[str, str]]:
    """
    Read a recipe, and the variables for its dataset files.

    Parameters
    ----------
    config
        Path of a YAML file, or the name of a file in ``config/training/``.
    overrides
        ``key=value`` or ``section.key=value``; a key that is not a field of a recipe sets a
        variable, for ``${key}`` in the recipe and its dataset files.

    """
    path = config_file('training', config)
    content, variables, used = read_with_overrides(path, overrides, Recipe)
    content = substitute(content, variables, str(path))
    content.setdefault('name', path.stem)
    recipe = build(Recipe, content, str(path))
    datasets = {part.dataset for part in recipe.mixture}
    datasets |= {part.dataset for part in recipe.evaluation}
    used |= variables_in_files([('datasets', dataset) for dataset in datasets])
    check_overrides(overrides, Recipe, used, str(path))
    return recipe, variables
