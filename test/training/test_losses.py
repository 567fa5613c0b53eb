# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the losses: only what is annotated counts, and it counts right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import floats, integers, lists
import numpy as np
from numpy.typing import NDArray
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import UNLABELED
from hydranet_ros.training.batches import Batch, stack
from hydranet_ros.training.class_weights import weights_of
from hydranet_ros.training.depth_losses import berhu, gradient_loss, log_ratio, silog
from hydranet_ros.training.distributed import Reduction
from hydranet_ros.training.losses import (
    Criterion,
    Head,
    normals_loss,
    segmentation_loss,
)
from hydranet_ros.training.lovasz import lovasz_softmax
from hydranet_ros.training.recipe import Losses

ALONE = Reduction()
SIZE = (8, 12)
LABEL_SETS = ('camvid11', 'ade20k32')
SLICES = (slice(0, 11), slice(11, 43))
EQUAL = (torch.ones(11), torch.ones(32))


def sample(**annotations: object) -> Sample:
    """Return a grey image with some annotations."""
    image = np.full((*SIZE, 3), 128, np.uint8)
    return Sample('x.png', image, **annotations)  # type: ignore[arg-type]


def batch_of(*samples: Sample) -> Batch:
    """Stack samples that all weigh one."""
    return stack(samples, LABEL_SETS, [{}] * len(samples))


def raw(channels: int, count: int = 1, seed: int = 0) -> Tensor:
    """Return random raw outputs at a quarter of the size."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, 2, 3, generator=generator).requires_grad_()


def head_of(output: Tensor) -> Head:
    """Return a head that has already computed its output."""

    def head(samples: Tensor | None = None, channels: slice | None = None) -> Tensor:
        chosen = output if samples is None else output[samples]
        return chosen if channels is None else chosen[:, channels]

    return head


def depth_loss(output: Tensor, batch: Batch, **options: Any) -> Tensor:
    """Return the loss of depth alone."""
    criterion = Criterion({'depth': 1.0}, options=Losses(**options))
    return criterion({'depth': head_of(output)}, batch)[0]


def test_berhu_is_the_published_formula() -> None:
    """|e| to c, then (e² + c²) / 2c; the mean over valid pixels, whatever lies in the others."""
    error = torch.tensor([0.5, -1.0, 4.0, -10.0, 1e6])
    weights = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0])
    c = 0.2 * 10.0
    expected = (0.5 + 1.0 + (16 + c * c) / (2 * c) + (100 + c * c) / (2 * c)) / 4
    assert berhu(error, weights, ALONE).item() == pytest.approx(expected)


ALL_TERMS = {'silog': 0.5, 'depth_gradient': 0.5, 'depth_tolerance': 0.02}


@pytest.mark.parametrize('terms', [{}, ALL_TERMS])
@pytest.mark.parametrize('space', ['linear', 'log'])
def test_depth_unknown_everywhere_is_zero_loss_and_zero_gradient(
    space: str, terms: dict[str, float]
) -> None:
    """Nothing valid: zero, not NaN, and finite gradients."""
    batch = batch_of(sample(), sample())
    output = raw(1, 2)
    loss = depth_loss(output, batch, depth_space=space, **terms)
    loss.backward()
    assert loss.item() == 0.0
    assert output.grad is not None and (output.grad == 0).all()


def test_depth_loss_ignores_unknown_pixels() -> None:
    """Half an image of NaN and zeros changes nothing."""
    depth = np.full(SIZE, 5.0, np.float32)
    holes = depth.copy()
    holes[:, ::2] = np.nan
    holes[0, :] = 0.0
    constant = torch.full((1, 1, 2, 3), -3.0)
    losses = [depth_loss(constant, batch_of(sample(depth=d))) for d in (depth, holes)]
    # Of metres the output's sign does not count: |-3| - 5 = -2, c = 0.4.
    assert losses[0].item() == pytest.approx((4 + 0.16) / 0.8)
    assert losses[1].item() == pytest.approx(losses[0].item())
    in_log = depth_loss(-constant, batch_of(sample(depth=holes)), depth_space='log').item()
    assert in_log == pytest.approx(np.log(5 / 3) * (1 + 0.04) / 0.4, rel=1e-5)


@pytest.mark.parametrize('space', ['linear', 'log'])
def test_depth_within_the_tolerance_costs_nothing(space: str) -> None:
    """Beyond it, the error counts from the tolerance on; at 5.1 m ± 0.04 m from 5.06 m."""
    batch = batch_of(sample(depth=np.full(SIZE, 5.0, np.float32)))
    near = torch.full((1, 1, 2, 3), 5.03, requires_grad=True)
    loss = depth_loss(near, batch, depth_space=space, depth_tolerance=0.04)
    loss.backward()
    assert loss.item() == 0 and near.grad is not None and (near.grad == 0).all()
    far = torch.full((1, 1, 2, 3), 5.1)
    found = depth_loss(far, batch, depth_space=space, depth_tolerance=0.04)
    edge = batch_of(sample(depth=np.full(SIZE, 5.04, np.float32)))
    assert found.item() == pytest.approx(depth_loss(far, edge, depth_space=space).item(), rel=1e-4)


def test_silog_is_eigens_formula_per_image_and_forgives_a_common_factor() -> None:
    """A factor e^c on all depths of an image costs sqrt(0.15) c; images without depth nothing."""
    generator = torch.Generator().manual_seed(1)
    ratio = 0.3 * torch.randn(3, 6, 8, generator=generator)
    ratio[1] = 0.4
    valid = torch.rand(3, 6, 8, generator=generator) > 0.3
    valid[2] = False
    known = ratio[0][valid[0]]
    first = (known.square().mean() - 0.85 * known.mean().square()).sqrt()
    expected = (2 * first + 0.15**0.5 * 0.4) / 3
    found = silog(ratio, valid, torch.tensor([2.0, 1.0, 5.0]), ALONE)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_gradient_loss_is_of_differences_between_known_neighbours() -> None:
    """A common factor costs nothing; a step of the logarithm by 1 in a column one per pair."""
    ratio = torch.full((1, 8, 8), 0.7)
    weights = torch.ones(1, 8, 8)
    assert gradient_loss(ratio, weights, ALONE).item() == 0
    ratio[:, :, 4:] += 1
    # Rows times columns of neighbours at steps 1, 2, 4; at 8 there are none.
    pairs = 2 * (8 * 7 + 4 * 3 + 2 * 1)
    assert gradient_loss(ratio, weights, ALONE).item() == pytest.approx((8 + 4 + 2) / pairs)
    weights[:, :, 4] = 0  # the edge is unknown, at every scale
    assert gradient_loss(ratio, weights, ALONE).item() == 0


def test_terms_of_depth_are_added_by_their_weights() -> None:
    """The sum is berHu and each weight times its term."""
    depth = np.linspace(1, 9, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    batch = batch_of(sample(depth=depth))
    output = 5 + raw(1)
    plain, s, g, both = (
        depth_loss(output, batch, depth_space='log', **terms).item()
        for terms in (
            {},
            {'silog': 2.0},
            {'depth_gradient': 3.0},
            {'silog': 1.0, 'depth_gradient': 1.0},
        )
    )
    assert s > plain and g > plain
    assert both - plain == pytest.approx((s - plain) / 2 + (g - plain) / 3, rel=1e-4)


def test_each_sample_meets_its_own_label_set_alone() -> None:
    """Gradients reach the slice of the sample's label set; the value is torch's cross entropy."""
    labels = np.full(SIZE, 255, np.uint8)
    labels[:4] = 7
    batch = batch_of(sample(segmentation=labels, label_set='ade20k32'), sample())
    output = raw(43, 2)
    loss = segmentation_loss(head_of(output), batch, SLICES, EQUAL, ALONE)
    loss.backward()
    assert output.grad is not None
    assert (output.grad[0, :11] == 0).all() and (output.grad[1] == 0).all()
    assert (output.grad[0, 11:].abs().sum(dim=(1, 2)) > 0).all()
    enlarged = torch.nn.functional.interpolate(
        output[:1, 11:], size=SIZE, mode='bilinear', align_corners=False
    )
    expected = torch.nn.functional.cross_entropy(
        enlarged, torch.from_numpy(labels).long()[None], ignore_index=255
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_segmentation_without_labels_is_zero() -> None:
    """A batch without any label: zero and no gradient, but a graph to go backward through."""
    output = raw(43)
    loss = segmentation_loss(head_of(output), batch_of(sample()), SLICES, EQUAL, ALONE)
    loss.backward()
    assert loss.item() == 0.0 and output.grad is not None and (output.grad == 0).all()


def test_weights_of_samples_and_classes_are_those_of_a_weighted_mean() -> None:
    """Twice the weight is as if the sample, or the class, came twice."""
    one = sample(segmentation=np.full(SIZE, 3, np.uint8), label_set='camvid11')
    two = sample(segmentation=np.full(SIZE, 8, np.uint8), label_set='camvid11')
    output = raw(43, 2)
    double = stack([one, two], LABEL_SETS, [{'segmentation': 2.0}, {}])
    loss = segmentation_loss(head_of(output), double, SLICES, EQUAL, ALONE)
    thrice = output[[0, 0, 1]]
    expected = segmentation_loss(head_of(thrice), batch_of(one, one, two), SLICES, EQUAL, ALONE)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    by_class = (torch.ones(11).index_fill(0, torch.tensor([3]), 2.0), torch.ones(32))
    loss = segmentation_loss(head_of(output), batch_of(one, two), SLICES, by_class, ALONE)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@settings(deadline=None)
@given(
    target=arrays(np.int64, 40, elements=integers(0, 3)),
    predicted=arrays(np.int64, 40, elements=integers(0, 3)),
)
def test_lovasz_of_certain_answers_is_one_minus_mean_iou(
    target: NDArray[np.int64], predicted: NDArray[np.int64]
) -> None:
    """It extends the Jaccard loss: where probabilities are 0 and 1 both are the same."""
    present = np.unique(target)
    iou = [
        ((predicted == i) & (target == i)).sum() / ((predicted == i) | (target == i)).sum()
        for i in present
    ]
    probability = functional.one_hot(torch.from_numpy(predicted), 4).T.float()
    loss = lovasz_softmax(probability[None], torch.from_numpy(target)[None])
    assert loss.item() == pytest.approx(1 - np.mean(iou), abs=1e-5)


def test_lovasz_is_added_per_image_and_ignores_the_unlabelled() -> None:
    """What is added is the images' mean; a small class weighs as much as a large one."""
    labels = np.full(SIZE, 3, np.uint8)
    labels[:, 8:] = UNLABELED
    one = sample(segmentation=labels, label_set='camvid11')
    labels = labels.copy()
    labels[:4, :4] = 8
    two = sample(segmentation=labels, label_set='camvid11')
    output = raw(43, 2)
    arguments = (batch_of(one, two), SLICES, EQUAL, ALONE)
    plain = segmentation_loss(head_of(output), *arguments)
    loss = segmentation_loss(head_of(output), *arguments, lovasz=2.0)
    seen = output[:, :11].softmax(dim=1)[:, :, :, :2].flatten(2)  # the third column is unlabelled
    added = [lovasz_softmax(seen[:1], torch.full((1, 4), 3))]
    added.append(lovasz_softmax(seen[1:], torch.tensor([[8, 3, 3, 3]])))
    assert (loss - plain).item() == pytest.approx((added[0] + added[1]).item(), rel=1e-5)
    loss.backward()
    assert output.grad is not None and (output.grad[:, :11, :, :2] != 0).any()
    nothing = segmentation_loss(
        head_of(raw(43)), batch_of(sample()), SLICES, EQUAL, ALONE, lovasz=1
    )
    assert nothing.item() == 0.0


def test_classes_that_the_annotator_does_not_know_are_not_taught_away() -> None:
    """Of a sample whose annotator knows no poles, poles get no gradient; of another they do."""
    labels = np.full(SIZE, 1, np.uint8)
    labels[:4] = 2  # what it calls a pole nevertheless is no label
    annotated = sample(segmentation=labels, label_set='camvid11')
    without = stack([annotated], LABEL_SETS, [{}], [(2,)])
    output = raw(43)
    loss = segmentation_loss(head_of(output), without, SLICES, EQUAL, ALONE, lovasz=1.0)
    loss.backward()
    assert output.grad is not None and (output.grad[:, 2] == 0).all()
    assert (output.grad[:, 1] != 0).any() and (output.grad[:, 3] != 0).any()
    others = [0, 1, *range(3, 11)]
    expected = functional.cross_entropy(
        functional.interpolate(output[:, others], SIZE, mode='bilinear')[:, :, 4:],
        torch.ones(1, 4, 12, dtype=torch.int64),
    )
    plain = segmentation_loss(head_of(output), without, SLICES, EQUAL, ALONE)
    assert plain.item() == pytest.approx(expected.item(), rel=1e-5)
    known = batch_of(annotated)
    segmentation_loss(head_of(output), known, SLICES, EQUAL, ALONE).backward()
    assert (output.grad[:, 2] != 0).any()


def test_normals_loss_is_one_minus_cosine_of_known_pixels() -> None:
    """Parallel: 0; opposite: 2; length does not matter; unknown does not count."""
    normals = np.zeros((*SIZE, 3), np.float32)
    normals[..., 2] = -1
    normals[:, ::3] = np.nan
    batch = batch_of(sample(normals=normals))
    facing = torch.tensor([0.0, 0.0, -5.0]).view(1, 3, 1, 1).expand(1, 3, 2, 3)
    assert normals_loss(facing, batch, ALONE).item() == pytest.approx(0.0, abs=1e-6)
    assert normals_loss(-facing, batch, ALONE).item() == pytest.approx(2.0)
    assert normals_loss(facing, batch_of(sample()), ALONE).item() == 0.0


def test_criterion_sums_tasks_fixed_or_by_learned_uncertainty() -> None:
    """0.5 and 0.5 as the paper; or exp(-s) L + s, which has a gradient in s."""
    labels = np.full(SIZE, 3, np.uint8)
    batch = batch_of(
        sample(segmentation=labels, label_set='camvid11', depth=np.full(SIZE, 5, np.float32))
    )
    outputs = {'segmentation': head_of(raw(43)), 'depth': head_of(raw(1))}
    weights = {'segmentation': 0.5, 'depth': 0.5}
    total, parts = Criterion(weights, SLICES, EQUAL)(outputs, batch)
    assert total.item() == pytest.approx(0.5 * sum(part.item() for part in parts.values()))
    learned = Criterion(weights, SLICES, EQUAL, options=Losses(weighting='uncertainty'))
    total, _ = learned(outputs, batch)
    total.backward()
    for task, parameter in learned.log_variance.items():
        assert parameter.grad.item() == pytest.approx(1 - parts[task].item(), rel=1e-4)


class _OfTwo:
    """The reduction of one of two processes whose counterpart's numbers are known."""

    processes = 2

    def __init__(self, other_sum: float, other_max: float) -> None:
        self._sum = other_sum
        self._max = other_max

    def sum(self, value: Tensor) -> Tensor:
        return value + self._sum

    def max(self, value: Tensor) -> Tensor:
        return value.clamp(min=self._max)


def test_mean_is_over_all_processes_pixels() -> None:
    """With 4 valid pixels here and 12 there, the mean of both losses is that over all 16."""
    here, there = torch.full((4,), 1.0), torch.full((12,), 5.0)
    both = berhu(torch.cat([here, there]), torch.ones(16), ALONE)
    parts = [
        berhu(here, torch.ones(4), _OfTwo(12.0, 5.0)),
        berhu(there, torch.ones(12), _OfTwo(4.0, 5.0)),
    ]
    assert (sum(part.item() for part in parts) / 2) == pytest.approx(both.item())


def test_labels_of_a_foreign_label_set_are_named() -> None:
    """A dataset whose label set the recipe has not is an error."""
    foreign = sample(segmentation=np.zeros(SIZE, np.uint8), label_set='kitti6')
    with pytest.raises(HydranetError, match=r'x\.png has labels of kitti6'):
        batch_of(foreign)


def test_missing_annotations_are_missing_in_a_batch() -> None:
    """None becomes unlabelled and unknown, never class 0 or 0 metres."""
    batch = batch_of(sample(), sample(depth=np.ones(SIZE, np.float32)))
    assert (batch.segmentation == 255).all() and batch.label_set.tolist() == [-1, -1]
    assert batch.depth[0].isnan().all() and (batch.depth[1] == 1).all()
    assert batch.normals is None
    assert replace(batch).names == ['x.png', 'x.png']


def test_class_weights_follow_rarity() -> None:
    """The rarer the heavier, one on average over pixels, one for classes that never come."""
    frequency = np.array([0.75, 0.2, 0.05, 0.0])
    weights = weights_of(frequency, 0.5)
    assert weights[0] < weights[1] < weights[2] and weights[3] == 1.0
    assert (frequency * weights).sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights_of(frequency, 0.0)[:3], 1.0)


@given(lists(floats(-200, 200), min_size=1, max_size=20), floats(0.1, 150))
@settings(deadline=None)
def test_log_ratio_is_the_logarithm_above_half_the_truth_and_grows_evenly(
    outputs: list[float], truth: float
) -> None:
    """Its slope is the logarithm's, but bounded, also where an output is negative."""
    output = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    target = torch.full_like(output, truth)
    error = log_ratio(output, target)
    above = output > 0.5 * truth
    torch.testing.assert_close(error[above], (output[above] / truth).log())
    (slope,) = torch.autograd.grad(error.sum(), output)
    assert (slope > 0).all() and (slope <= 2 / truth * (1 + 1e-9)).all()
    order = output.argsort()
    assert (error[order].diff() >= 0).all()
