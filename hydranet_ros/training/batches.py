# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""From datasets to batches: draw, load, augment and stack samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from hydranet_ros.data.sample import Dataset, Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set, UNLABELED
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.training.mixing import Mixture
from hydranet_ros.training.pasting import box_mask, class_mask, paste
from hydranet_ros.training.recipe import Ingredient, Recipe
from hydranet_ros.training.transforms import augment

NO_LABELS = -1
"""Label-set number of a sample without labels."""


@dataclass
class Batch:
    """Stacked samples of one size; a missing annotation has no valid pixels."""

    names: list[str]
    image: Tensor  # N x H x W x 3, uint8, RGB
    segmentation: Tensor  # N x H x W, uint8, 255 unlabelled
    label_set: Tensor  # N, int64, index of the label set in the recipe; -1 for none
    depth: Tensor  # N x H x W, float32, metres at the canonical focal length, NaN unknown
    normals: Tensor | None
    """
    N x 3 x H x W, float32, NaN unknown. None if no sample has normals: NaN for all pixels would be
    half of the data that loader processes send.
    """
    weights: dict[str, Tensor]  # by task: N, float32, weight of each sample's annotated pixels
    unknown: Tensor  # N x 256, bool, true for class ids that the annotator does not know

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(
            names=self.names,
            image=self.image.to(device),
            segmentation=self.segmentation.to(device),
            label_set=self.label_set.to(device),
            depth=self.depth.to(device),
            normals=None if self.normals is None else self.normals.to(device),
            weights={task: weight.to(device) for task, weight in self.weights.items()},
            unknown=self.unknown.to(device),
        )


def stack(
    samples: Sequence[Sample],
    label_sets: Sequence[str],
    weights: Sequence[Mapping[str, float]],
    unknown: Sequence[Collection[int]] = (),
) -> Batch:
    """
    Stack samples of one size into a batch.

    Parameters
    ----------
    label_sets
        Label sets of the recipe; if empty, labels are ignored.
    weights
        For each sample, the weight of each task, by task name.
    unknown
        For each sample, the ids of the classes that its annotator does not know. May be empty if
        all annotators know all classes.

    """
    size = samples[0].image.shape[:2]
    count = len(samples)
    segmentation = np.full((count, *size), UNLABELED, np.uint8)
    depth = np.full((count, *size), np.nan, np.float32)
    normals = None
    if any(sample.normals is not None for sample in samples):
        normals = np.full((count, 3, *size), np.nan, np.float32)
    numbers = np.full(count, NO_LABELS, np.int64)
    unknown_classes = np.zeros((count, UNLABELED + 1), bool)
    for row, classes in enumerate(unknown):
        unknown_classes[row, list(classes)] = True
    for row, sample in enumerate(samples):
        if sample.segmentation is not None and label_sets:
            if sample.label_set is None or sample.label_set not in label_sets:
                raise HydranetError(
                    f'{sample.name} has labels of {sample.label_set}, which is not one of the '
                    f"recipe's label sets ({', '.join(label_sets)})."
                )
            segmentation[row] = sample.segmentation
            numbers[row] = list(label_sets).index(sample.label_set)
        if sample.depth is not None:
            depth[row] = sample.depth
        if normals is not None and sample.normals is not None:
            normals[row] = sample.normals.transpose(2, 0, 1)
    return Batch(
        names=[sample.name for sample in samples],
        image=torch.from_numpy(np.stack([sample.image for sample in samples])),
        segmentation=torch.from_numpy(segmentation),
        label_set=torch.from_numpy(numbers),
        depth=torch.from_numpy(depth),
        normals=None if normals is None else torch.from_numpy(normals),
        weights={
            task: torch.tensor([weight.get(task, 1.0) for weight in weights]) for task in TASKS
        },
        unknown=torch.from_numpy(unknown_classes),
    )


class TrainingBatches(TorchDataset[Batch]):
    """
    The batches of a training, by number; each holds only the samples of this process.

    ``datasets`` has one entry for each ingredient of the recipe.
    """

    def __init__(
        self, datasets: Sequence[Dataset], recipe: Recipe, rank: int = 0, processes: int = 1
    ) -> None:
        if recipe.batch % processes:
            raise HydranetError(
                f'A batch of {recipe.batch} samples cannot be divided among {processes} '
                'processes; choose a multiple.'
            )
        self._datasets = list(datasets)
        self._recipe = recipe
        self._rank = rank
        self._own = recipe.batch // processes
        self._mixture = Mixture(
            [len(dataset) for dataset in datasets],
            [part.share for part in recipe.mixture],
            recipe.seed,
        )
        self._unknown = [
            _class_ids(part, dataset)
            for part, dataset in zip(recipe.mixture, datasets, strict=True)
        ]

    def __len__(self) -> int:
        """Return the number of batches in the training."""
        return self._recipe.steps * self._recipe.optimization.accumulate

    def __getitem__(self, number: int) -> Batch:
        """Return a batch; it depends only on the recipe and on its number."""
        first = number * self._recipe.batch + self._rank * self._own
        numbers = range(first, first + self._own)
        crop = self._recipe.crops[number % len(self._recipe.crops)]
        parts = [self._mixture[n].dataset for n in numbers]
        load = cache(lambda n: self._sample(n, crop))
        return stack(
            [self._pasted(n, load) for n in numbers],
            self._recipe.label_sets,
            [self._recipe.mixture[part].weights for part in parts],
            [self._unknown[part] for part in parts],
        )

    def _sample(self, number: int, crop: tuple[int, int]) -> Sample:
        draw = self._mixture[number]
        sample = self._datasets[draw.dataset].load(draw.index)
        if 'normals' not in self._recipe.tasks:  # unused normals would be half of the data
            sample = replace(sample, normals=None)
        return augment(
            sample,
            self._recipe.augmentation,
            np.random.default_rng([self._recipe.seed, number]),
            size=crop,
            scale=self._recipe.mixture[draw.dataset].scale,
            stretch=self._recipe.mixture[draw.dataset].stretch,
            canonical_focal=self._recipe.canonical_focal,
        )

    def _pasted(self, number: int, load: Callable[[int], Sample]) -> Sample:
        """Return a sample, into which parts of another sample of its dataset may be pasted."""
        sample, options = load(number), self._recipe.augmentation
        first = number - number % self._recipe.batch
        others = [
            n
            for n in range(first, first + self._recipe.batch)
            if n != number and self._mixture[n].dataset == self._mixture[number].dataset
        ]
        rng = np.random.default_rng([self._recipe.seed, number, 1])
        drawn = rng.random()
        if not others or drawn >= options.classmix + options.cutmix:
            return sample
        partner = load(int(rng.choice(others)))
        if drawn < options.classmix:
            return paste(sample, partner, class_mask(partner, rng))
        height, width = sample.image.shape[:2]
        return paste(sample, partner, box_mask(height, width, rng))


def _class_ids(part: Ingredient, dataset: Dataset) -> tuple[int, ...]:
    """Return the ids of the classes that the annotator of an ingredient does not know."""
    if not part.unknown_classes:
        return ()
    classes = load_label_set(dataset.label_set).classes if dataset.label_set else ()
    missing = set(part.unknown_classes) - set(classes)
    if missing:
        raise HydranetError(
            f'{dataset.name} has no class {min(missing)!r} for `unknown_classes`; it has: '
            f'{", ".join(classes) or "none"}.'
        )
    return tuple(classes.index(name) for name in part.unknown_classes)


def load_batches(batches: TrainingBatches, first: int, workers: int) -> Iterator[Batch]:
    """
    Yield the batches in order, starting at number ``first``; worker processes load them.

    A HydranetError in a worker is raised here.
    """
    loader = DataLoader(
        _Guarded(batches),
        batch_size=None,
        sampler=range(first, len(batches)),
        num_workers=workers,
        worker_init_fn=_one_thread if workers else None,
        prefetch_factor=2 if workers else None,
        multiprocessing_context='fork' if workers else None,
    )
    for item in loader:
        if isinstance(item, HydranetError):
            raise item
        yield item


class _Guarded(TorchDataset[Batch | HydranetError]):
    """Returns errors as values: DataLoader adds a worker's traceback to the text of exceptions."""

    def __init__(self, batches: TrainingBatches) -> None:
        self._batches = batches

    def __getitem__(self, number: int) -> Batch | HydranetError:
        try:
            return self._batches[number]
        except HydranetError as error:
            return error


def _one_thread(_worker: int) -> None:
    # Leave the cores to the training.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def account_of_data(recipe: Recipe, datasets: Sequence[Dataset]) -> list[str]:
    """
    Return a line for each dataset of the mixture: how many images it has, with which annotations.

    Raises HydranetError if a task that is not in the recipe's ``kept`` is annotated in no dataset.
    """
    lines = []
    found: set[str] = set()
    for part, dataset in zip(recipe.mixture, datasets, strict=True):
        annotated = Counter(task for index in range(len(dataset)) for task in dataset.tasks(index))
        found |= annotated.keys()
        counts = [f'{annotated[task]} with {task}' for task in recipe.tasks if annotated[task]]
        lines.append(f'{part.dataset}: {len(dataset)} images, {", ".join(counts) or "no labels"}')
    missing = [task for task in recipe.tasks if task not in found and task not in recipe.kept]
    if missing:
        raise HydranetError(
            f'No dataset of the mixture has annotations for the task {missing[0]}: remove it from '
            '`tasks`, or list it in `kept` to keep the head from the initial weights.'
        )
    return lines
