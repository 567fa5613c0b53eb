# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics against libraries, against figures worked out by hand, and on the cases that bite."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.crops import crop_window
from hydranet_ros.evaluation.figures import figures_of
from hydranet_ros.evaluation.metrics import ConfusionMatrix, DepthMetrics, NormalsMetrics

IDS = hnp.arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 3, 4, 255]))


def random_depths(seed: int, images: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (prediction, truth) pairs with a third of the truth invalid."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(images):
        gt = rng.uniform(1, 60, (12, 17)).astype(np.float32)
        pred = (gt * rng.lognormal(0.1, 0.3, gt.shape)).astype(np.float32)
        gt[rng.random(gt.shape) < 0.33] = rng.choice([0.0, -1.0, np.nan, np.inf])
        pairs.append((pred, gt))
    return pairs


@settings(deadline=None, max_examples=60)
@given(gt=IDS, pred=IDS)
def test_confusion_matrix_agrees_with_scikit_learn(gt: np.ndarray, pred: np.ndarray) -> None:
    sklearn_metrics = pytest.importorskip('sklearn.metrics')
    matrix = ConfusionMatrix(5, ignore_id=255)
    matrix.update(pred, gt)
    labelled = gt != 255
    if not labelled.any():
        assert np.isnan(matrix.mean_iou()) and np.isnan(matrix.pixel_accuracy())
        return
    true, found = gt[labelled], pred[labelled]
    present = np.unique(true)
    expected = sklearn_metrics.jaccard_score(
        true, found, labels=present, average=None, zero_division=0
    )
    np.testing.assert_allclose(matrix.iou()[present], expected)
    assert matrix.mean_iou() == pytest.approx(expected.mean())
    assert matrix.pixel_accuracy() == pytest.approx(sklearn_metrics.accuracy_score(true, found))


def test_confusion_matrix_agrees_with_torchmetrics() -> None:
    classification = pytest.importorskip('torchmetrics.classification')
    torch = pytest.importorskip('torch')
    rng = np.random.default_rng(0)
    gt = rng.integers(0, 6, (2, 40, 50)).astype(np.uint8)
    pred = np.where(rng.random(gt.shape) < 0.6, gt, rng.integers(0, 6, gt.shape)).astype(np.uint8)
    gt[rng.random(gt.shape) < 0.1] = 255
    library = classification.MulticlassJaccardIndex(6, average='macro', ignore_index=255)
    expected = library(torch.from_numpy(pred).long(), torch.from_numpy(gt).long())
    matrix = ConfusionMatrix(6)
    for one_pred, one_gt in zip(pred, gt, strict=True):
        matrix.update(one_pred, one_gt)
    assert matrix.mean_iou() == pytest.approx(float(expected), abs=1e-6)


def test_absent_classes_do_not_count_but_false_alarms_do() -> None:
    matrix = ConfusionMatrix(4)
    gt = np.array([[0, 0, 0, 1, 1, 255]])
    pred = np.array([[0, 0, 2, 1, 1, 3]])  # 2 is never true; 3 is found only where ignored
    matrix.update(pred, gt)
    iou = matrix.iou()
    assert iou[:2].tolist() == pytest.approx([2 / 3, 1.0])
    assert np.isnan(iou[2:]).all()
    assert matrix.mean_iou() == pytest.approx((2 / 3 + 1) / 2)


def test_a_prediction_that_is_no_class_is_a_miss() -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([0, 255, 1, 9]), np.array([0, 0, 1, 1]))
    assert matrix.iou().tolist() == [0.5, 0.5]
    assert matrix.pixel_accuracy() == 0.5


def test_one_matrix_over_the_dataset_is_not_the_mean_over_images() -> None:
    first, second = ConfusionMatrix(2), ConfusionMatrix(2)
    first.update(np.zeros(90, np.uint8), np.zeros(90, np.uint8))
    second.update(np.array([1, 0] * 5, np.uint8), np.ones(10, np.uint8))
    first.merge(second)
    assert first.mean_iou() == pytest.approx((90 / 95 + 5 / 10) / 2)


def test_truth_with_an_unknown_id_is_named() -> None:
    with pytest.raises(HydranetError, match=r'id 7, which is neither a class \(0-4\)'):
        ConfusionMatrix(5).update(np.zeros(2, np.uint8), np.array([0, 7], np.uint8))


@pytest.mark.parametrize('make', [lambda: ConfusionMatrix(3), lambda: DepthMetrics(0.1, 10)])
def test_shapes_must_agree(make: Callable[[], ConfusionMatrix | DepthMetrics]) -> None:
    with pytest.raises(HydranetError, match='shape'):
        make().update(np.ones((2, 3)), np.ones((3, 2)))


def test_depth_agrees_with_scikit_learn_over_all_pixels() -> None:
    sklearn_metrics = pytest.importorskip('sklearn.metrics')
    pairs = random_depths(1)
    metrics = DepthMetrics(1e-3, 80)
    for pred, gt in pairs:
        metrics.update(pred, gt)
    pred = np.concatenate([p.ravel() for p, _ in pairs]).astype(np.float64)
    gt = np.concatenate([g.ravel() for _, g in pairs]).astype(np.float64)
    keep = np.isfinite(gt) & (gt > 0)
    pred, gt = np.minimum(pred[keep], 80), gt[keep]
    figures = metrics.pooled()
    assert metrics.pixels == gt.size
    assert figures['abs_rel'] == pytest.approx(
        sklearn_metrics.mean_absolute_percentage_error(gt, pred)
    )
    assert figures['rmse'] == pytest.approx(sklearn_metrics.root_mean_squared_error(gt, pred))
    log_rmse = sklearn_metrics.root_mean_squared_error(np.log(gt), np.log(pred))
    assert figures['rmse_log'] == pytest.approx(log_rmse)
    log10 = sklearn_metrics.mean_absolute_error(np.log10(gt), np.log10(pred))
    assert figures['log10'] == pytest.approx(log10)
    assert figures['silog'] == pytest.approx(100 * np.std(np.log(pred) - np.log(gt)))
    assert figures['sq_rel'] == pytest.approx(np.mean((pred - gt) ** 2 / gt))
    for power in (1, 2, 3):
        within = np.maximum(pred / gt, gt / pred) < 1.25**power
        assert figures[f'delta{power}'] == pytest.approx(within.mean())


def test_per_image_figures_are_the_mean_of_the_images() -> None:
    pairs = random_depths(2)
    together = DepthMetrics(1e-3, 80)
    alone = []
    for pred, gt in pairs:
        together.update(pred, gt)
        single = DepthMetrics(1e-3, 80)
        single.update(pred, gt)
        assert single.pooled() == single.per_image()
        alone.append(single.pooled())
    for name in (figure.name for figure in figures_of('depth')):
        assert together.per_image()[name] == pytest.approx(np.mean([one[name] for one in alone]))
    assert together.per_image()['rmse'] != pytest.approx(together.pooled()['rmse'], rel=1e-6)


def test_the_two_poolings_differ_as_they_must() -> None:
    metrics = DepthMetrics(0.1, 10)
    metrics.update(np.full((1, 9), 2.0), np.full((1, 9), 2.0))
    metrics.update(np.array([[3.0]]), np.array([[2.0]]))
    assert metrics.pooled()['abs_rel'] == pytest.approx(0.05)
    assert metrics.per_image()['abs_rel'] == pytest.approx(0.25)
    assert metrics.images == 2 and metrics.pixels == 10


def test_merged_depth_equals_one_run() -> None:
    pairs = random_depths(3, images=4)
    whole, first, second = (DepthMetrics(1e-3, 80) for _ in range(3))
    for index, (pred, gt) in enumerate(pairs):
        whole.update(pred, gt)
        (first if index < 2 else second).update(pred, gt)
    first.merge(second)
    assert first.pooled() == whole.pooled() and first.per_image() == whole.per_image()


def test_depth_clips_predictions_and_leaves_truth_outside_the_range_out() -> None:
    metrics = DepthMetrics(1.0, 80.0)
    pred = np.array([[200.0, 0.0, np.nan, 5.0]], np.float32)
    gt = np.array([[40.0, 2.0, 2.0, 90.0]], np.float32)
    metrics.update(pred, gt)
    assert metrics.pixels == 3
    assert metrics.pooled()['abs_rel'] == pytest.approx((40 / 40 + 1 / 2 + 1 / 2) / 3)


def test_depth_without_truth_is_nan_not_zero() -> None:
    metrics = DepthMetrics(1.0, 80.0)
    metrics.update(np.ones((2, 2)), np.full((2, 2), np.nan))
    assert metrics.images == 0
    assert all(np.isnan(value) for value in metrics.pooled().values())
    assert all(np.isnan(value) for value in metrics.per_image().values())


@settings(deadline=None, max_examples=40)
@given(st.floats(0.3, 3.0), st.integers(0, 1000))
def test_scale_errors_show_in_abs_rel_and_not_in_silog(scale: float, seed: int) -> None:
    gt = np.random.default_rng(seed).uniform(2, 20, (5, 5))
    metrics = DepthMetrics(0.01, 1000)
    metrics.update(gt * scale, gt)
    figures = metrics.pooled()
    assert figures['abs_rel'] == pytest.approx(abs(scale - 1), abs=1e-9)
    assert figures['rmse_log'] == pytest.approx(abs(np.log(scale)), abs=1e-7)
    assert figures['silog'] == pytest.approx(0, abs=1e-4)


def test_crops_of_the_benchmarks() -> None:
    # The figures that public evaluation code gives for a 375x1242 KITTI frame.
    assert crop_window('garg', 375, 1242) == (slice(153, 371), slice(44, 1197))
    assert crop_window('eigen', 375, 1242) == (slice(124, 342), slice(44, 1197))
    assert crop_window('nyud', 480, 640) == (slice(45, 471), slice(41, 601))
    assert crop_window(None, 4, 5) == (slice(0, 4), slice(0, 5))
    with pytest.raises(HydranetError, match='640x480, not 320x240'):
        crop_window('nyud', 240, 320)
    with pytest.raises(HydranetError, match="Unknown crop 'gargg'"):
        crop_window('gargg', 10, 10)


def test_the_crop_is_used() -> None:
    gt = np.full((480, 640), 2.0)
    pred = np.full((480, 640), 4.0)
    pred[45:471, 41:601] = 2.0
    metrics = DepthMetrics(0.1, 10, crop='nyud')
    metrics.update(pred, gt)
    assert metrics.pooled()['abs_rel'] == 0
    assert metrics.pixels == 426 * 560


def test_normals_give_the_angle_that_was_put_in() -> None:
    rng = np.random.default_rng(0)
    true = rng.standard_normal((20, 30, 3))
    axis = np.cross(true, rng.standard_normal(true.shape))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    true /= np.linalg.norm(true, axis=-1, keepdims=True)
    degrees = np.linspace(0, 60, true[..., 0].size).reshape(20, 30, 1)
    angle = np.radians(degrees)
    pred = np.cos(angle) * true + np.sin(angle) * np.cross(axis, true)
    metrics = NormalsMetrics()
    metrics.update((3 * pred).astype(np.float32), true.astype(np.float32))
    figures = metrics.pooled()
    assert figures['mean'] == pytest.approx(degrees.mean(), abs=1e-3)
    assert figures['median'] == pytest.approx(np.median(degrees), abs=0.06)
    for name, limit in (('below_11_25', 11.25), ('below_22_5', 22.5), ('below_30', 30)):
        assert figures[name] == pytest.approx((degrees < limit).mean(), abs=0.002)


def test_normals_skip_invalid_truth_and_count_directionless_predictions() -> None:
    gt = np.array([[[0, 0, 1], [0, 0, 0], [np.nan, 0, 0], [0, 0, 1]]], np.float32)
    pred = np.array([[[0, 0, 2], [1, 0, 0], [1, 0, 0], [0, 0, 0]]], np.float32)
    metrics = NormalsMetrics()
    metrics.update(pred, gt)
    assert metrics.pooled()['mean'] == pytest.approx(45)
    other = NormalsMetrics()
    other.merge(metrics)
    assert other.pooled() == metrics.pooled()
    assert np.isnan(NormalsMetrics().pooled()['mean'])
