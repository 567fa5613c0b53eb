# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Metrics of labels, depth and normals against ground truth, on numpy arrays of equal size.

``update`` adds an image; ``merge`` adds the images of another instance, so that several processes
can each measure some of the images. ``pooled`` returns the figures (values of metrics, e.g. mIoU)
over all pixels, NaN if there are no pixels. ``sums`` returns the numbers of pixels that
`comparison` needs to combine the figures of several images. Arrays of different shapes raise
HydranetError.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.crops import crop_window
from hydranet_ros.evaluation.figures import figures_of

_DEPTH_NAMES = tuple(figure.name for figure in figures_of('depth'))


class ConfusionMatrix:
    """
    The numbers of pixels by true and predicted class.

    Rows of ``counts`` are true classes, columns predicted classes. The last column counts
    predicted ids that are not a class; these lower the IoU of the true class only.
    """

    def __init__(self, num_classes: int, ignore_id: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_id = ignore_id
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes + 1), np.int64)

    def update(self, pred: NDArray[np.integer], gt: NDArray[np.integer]) -> None:
        """
        Count the pixels of one image.

        Raises HydranetError if the ground truth holds an id that is neither a class nor ignored.
        """
        _check_same_shape(pred, gt)
        valid = gt != self.ignore_id
        true = gt[valid].astype(np.int64)
        if true.size and not 0 <= true.min() <= true.max() < self.num_classes:
            wrong = true[(true < 0) | (true >= self.num_classes)][0]
            raise HydranetError(
                f'The ground truth holds the id {wrong}, which is neither a class '
                f'(0-{self.num_classes - 1}) nor the ignored id {self.ignore_id}.'
            )
        found = pred[valid].astype(np.int64)
        found[(found < 0) | (found >= self.num_classes)] = self.num_classes
        columns = self.num_classes + 1
        pairs = np.bincount(true * columns + found, minlength=self.counts.size)
        self.counts += pairs.reshape(self.counts.shape)

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of another matrix over the same classes."""
        self.counts += other.counts

    def iou(self) -> NDArray[np.float64]:
        """Return the intersection over union of each class, NaN for absent classes."""
        return _iou(*self._totals())

    def mean_iou(self) -> float:
        """Return the mean IoU over the classes that the ground truth has, NaN if it has none."""
        return mean_iou(*self._totals())

    def accuracy(self) -> NDArray[np.float64]:
        """Return the share of each class's true pixels that are found, NaN for absent classes."""
        hits, true, _ = self._totals()
        return _divide(hits.astype(float), true)

    def mean_accuracy(self) -> float:
        """Return the mean of ``accuracy`` over the classes that the ground truth has."""
        return _nan_mean(self.accuracy())

    def pixel_accuracy(self) -> float:
        """Return the share of labelled pixels that are correct, NaN if none is labelled."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else float('nan')

    def pooled(self) -> dict[str, float]:
        """Return the figures over all pixels of the dataset, as shares from 0 to 1."""
        return {
            'mean_iou': self.mean_iou(),
            'pixel_accuracy': self.pixel_accuracy(),
            'mean_accuracy': self.mean_accuracy(),
        }

    def sums(self) -> dict[str, Any]:
        """Return the numbers of correct, true and predicted pixels of each class."""
        hits, true, found = (counts.tolist() for counts in self._totals())
        return {'hits': hits, 'true': true, 'found': found}

    def _totals(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        found = self.counts[:, : self.num_classes].sum(axis=0)
        return np.diagonal(self.counts), self.counts.sum(axis=1), found


def mean_iou(hits: NDArray, true: NDArray, found: NDArray) -> float:
    """
    Return the mean IoU over the classes that the ground truth has, NaN if it has none.

    Each argument has one number of pixels per class: ``hits`` are predicted correctly, ``true``
    are in the ground truth, ``found`` are predicted.
    """
    return _nan_mean(_iou(hits, true, found))


def _iou(hits: NDArray, true: NDArray, found: NDArray) -> NDArray[np.float64]:
    return _divide(hits.astype(float), np.where(true > 0, true + found - hits, 0).astype(float))


class DepthMetrics:
    """
    Errors of metric depth, over all pixels and as means over images.

    Pixels are measured where the ground truth is between ``minimum`` and ``maximum`` metres,
    within the crop (one of ``crops.CROPS``). Predictions are clipped to this range first, as in
    the benchmarks. A prediction of NaN counts as ``minimum``, so leaving pixels out never improves
    a figure. There is no median scaling.
    """

    def __init__(self, minimum: float, maximum: float, crop: str | None = None) -> None:
        if not 0 < minimum < maximum:
            raise HydranetError(
                f'The depth range {minimum}-{maximum} m is invalid: give 0 < minimum < maximum.'
            )
        self.minimum = minimum
        self.maximum = maximum
        self.crop = crop
        self._image_sums: list[NDArray[np.float64]] = []

    def update(self, pred: NDArray[np.floating], gt: NDArray[np.floating]) -> None:
        """Measure one image, H×W metres; an image without valid ground truth is ignored."""
        found, true = self.counted(pred, gt)
        if true.size:
            found = np.nan_to_num(found.astype(np.float64), nan=self.minimum)
            found = np.clip(found, self.minimum, self.maximum)
            self._image_sums.append(_depth_sums(found, true.astype(np.float64)))

    def counted(self, pred: NDArray, gt: NDArray) -> tuple[NDArray, NDArray]:
        """Return prediction and ground truth of the pixels that are measured."""
        _check_same_shape(pred, gt)
        window = crop_window(self.crop, *gt.shape)
        pred, gt = pred[window], gt[window]
        valid = (gt > self.minimum) & (gt < self.maximum)
        return pred[valid], gt[valid]

    def merge(self, other: DepthMetrics) -> None:
        """Add the images of another measurement with the same range and crop."""
        self._image_sums.extend(other._image_sums)

    @property
    def images(self) -> int:
        """Return the number of images that had valid ground truth."""
        return len(self._image_sums)

    @property
    def pixels(self) -> int:
        """Return the number of pixels with valid ground truth."""
        return int(sum(sums[0] for sums in self._image_sums))

    def pooled(self) -> dict[str, float]:
        """Return the figures over all pixels."""
        if not self._image_sums:
            return dict.fromkeys(_DEPTH_NAMES, float('nan'))
        return _depth_figures(np.sum(self._image_sums, axis=0))

    def per_image(self) -> dict[str, float]:
        """Return the mean of each figure over the images (names as in ``pooled``)."""
        if not self._image_sums:
            return dict.fromkeys(_DEPTH_NAMES, float('nan'))
        images = [_depth_figures(sums) for sums in self._image_sums]
        return {name: float(np.mean([image[name] for image in images])) for name in _DEPTH_NAMES}

    def sums(self) -> dict[str, Any]:
        """Return the number of pixels."""
        return {'pixels': self.pixels}


class NormalsMetrics:
    """
    Angles between predicted and true surface normals, over all pixels.

    Angles are counted in bins of 0.01 degrees: the median is exact to that width, and memory does
    not grow with the number of images.
    """

    _BINS = 18000
    _SHARES = (11.25, 22.5, 30.0)

    def __init__(self) -> None:
        self._histogram: NDArray[np.int64] = np.zeros(self._BINS, np.int64)
        self._below: NDArray[np.int64] = np.zeros(len(self._SHARES), np.int64)
        self._sum = 0.0

    def update(self, pred: NDArray[np.floating], gt: NDArray[np.floating]) -> None:
        """
        Measure one image of H×W×3 normals of any positive length.

        Ground truth that is not finite or has zero length is ignored. A prediction of zero length
        counts as an error of 90 degrees.
        """
        _check_same_shape(pred, gt)
        true = gt.astype(np.float64)
        length = np.linalg.norm(true, axis=-1)
        valid = np.isfinite(length) & (length > 0)
        true = true[valid] / length[valid][:, None]
        found = np.nan_to_num(pred[valid].astype(np.float64), nan=0, posinf=0, neginf=0)
        found_length = np.linalg.norm(found, axis=-1)
        found = _divide(found, found_length[:, None], otherwise=0.0)
        # atan2 keeps its precision at small angles, where arccos of a dot product loses it.
        sine = np.linalg.norm(np.cross(found, true), axis=-1)
        cosine = np.einsum('ij,ij->i', found, true)
        angles = np.where(found_length > 0, np.degrees(np.arctan2(sine, cosine)), 90.0)
        bins = np.minimum((angles * (self._BINS / 180)).astype(np.int64), self._BINS - 1)
        self._histogram += np.bincount(bins, minlength=self._BINS)
        self._below += [int((angles < share).sum()) for share in self._SHARES]
        self._sum += float(angles.sum())

    def merge(self, other: NormalsMetrics) -> None:
        """Add the pixels of another measurement."""
        self._histogram += other._histogram
        self._below += other._below
        self._sum += other._sum

    def pooled(self) -> dict[str, float]:
        """Return the figures over all pixels: mean and median in degrees, shares from 0 to 1."""
        names = [f'below_{share:g}'.replace('.', '_') for share in self._SHARES]
        total = int(self._histogram.sum())
        if not total:
            return dict.fromkeys(['mean', 'median', *names], float('nan'))
        middle = int(np.searchsorted(np.cumsum(self._histogram), total / 2))
        return {
            'mean': self._sum / total,
            'median': (middle + 0.5) * 180 / self._BINS,
            **{name: int(n) / total for name, n in zip(names, self._below, strict=True)},
        }

    def sums(self) -> dict[str, Any]:
        """Return an empty dict: comparisons average the figures of the images."""
        return {}


def _depth_sums(pred: NDArray[np.float64], gt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums that `_depth_figures` needs; sums of several images may be added."""
    error = pred - gt
    log_error = np.log(pred) - np.log(gt)
    ratio = np.maximum(pred / gt, gt / pred)
    return np.array(
        [
            gt.size,
            np.sum(np.abs(error) / gt),
            np.sum(error**2 / gt),
            np.sum(error**2),
            np.sum(log_error**2),
            np.sum(log_error),
            np.sum(np.abs(log_error)) / np.log(10),
            *(np.count_nonzero(ratio < 1.25**power) for power in (1, 2, 3)),
        ]
    )


def _depth_figures(sums: NDArray[np.float64]) -> dict[str, float]:
    """Turn the sums of ``_depth_sums`` into figures."""
    abs_rel, sq_rel, square, log_square, log_mean, log10, *deltas = (sums[1:] / sums[0]).tolist()
    # Rounding can make the variance of a constant error slightly negative.
    variance = max(log_square - log_mean**2, 0.0)
    roots = (square**0.5, log_square**0.5, log10, 100 * variance**0.5)
    return dict(zip(_DEPTH_NAMES, (abs_rel, sq_rel, *roots, *deltas), strict=True))


def _check_same_shape(pred: NDArray, gt: NDArray) -> None:
    if pred.shape != gt.shape:
        raise HydranetError(
            f'The prediction has the shape {pred.shape} but the ground truth {gt.shape}; '
            'resize the prediction to the size of the ground truth first.'
        )


def _divide(numerator: NDArray, denominator: NDArray, otherwise: float = np.nan) -> NDArray:
    """Divide where the denominator is not zero; give ``otherwise`` elsewhere."""
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), otherwise, float)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def _nan_mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float('nan')
