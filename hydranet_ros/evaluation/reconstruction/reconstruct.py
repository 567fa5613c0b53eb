# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Reconstruct a scene from predicted depth and labels along known poses, and judge it.

The map of the predictions is compared with the map that the measured depth of the same pixels
gives, as reconstruction benchmarks do (Knapitsch et al., Tanks and Temples, 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import depth_to_points, RayTable
from hydranet_ros.data.views import View
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.reconstruction.fusion import Surface, VoxelMap
from hydranet_ros.runtime.predictor import Prediction


@dataclass(frozen=True)
class FusionOptions:
    """
    How views are fused.

    Attributes
    ----------
    voxel_size
        Metres.
    stride
        Take every so many-th row and column of an image.
    maximum_depth
        Metres along z; farther pixels are left out.
    edge
        Pixels where depth in the 3×3 neighbourhood changes by more than this share of it are
        left out: between an object and what is behind it a network gives depths at which there
        is nothing.
    border
        Pixels at the image's edges that are left out: there a network sees half of what it needs.
    truncation
        Metres before and behind a point that it has a say in. Of views that disagree by more,
        each keeps a surface of its own.
    minimum_weight
        Evidence that a voxel needs; a view at distance z adds 1 / z².

    """

    voxel_size: float = 0.03
    stride: int = 2
    maximum_depth: float = 5.0
    edge: float = 0.05
    border: int = 8
    truncation: float = 0.15
    minimum_weight: float = 0.5


@dataclass(frozen=True)
class Comparison:
    """
    A reconstructed surface against the measured one.

    Attributes
    ----------
    accuracy, accuracy_median
        Mean and median distance of the reconstructed points from the measured surface, metres.
    completeness, completeness_median
        Mean and median distance of the measured points from the reconstructed surface, metres.
    precision, recall
        Shares of these distances below ``threshold``.
    threshold
        Metres.

    """

    accuracy: float
    accuracy_median: float
    completeness: float
    completeness_median: float
    precision: float
    recall: float
    threshold: float

    @property
    def f_score(self) -> float:
        """Return the harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """
    What came of the views.

    Attributes
    ----------
    predicted
        Surface of the predicted depth.
    measured
        Surface of the measured depth, None if there was none.
    views
        Number of views fused.
    depth_ratio
        Median over the views of the median of predicted / measured depth; None without measured
        depth.
    poses
        Camera-to-world of each view.

    """

    predicted: Surface
    measured: Surface | None
    views: int
    depth_ratio: float | None
    poses: list[NDArray[np.float64]] = field(repr=False)


def usable_pixels(depth: NDArray[np.float32], options: FusionOptions) -> NDArray[np.bool_]:
    """
    Tell which pixels of a depth image are fused: valid, near enough, off edges and border.

    Parameters
    ----------
    depth
        H×W metres, NaN where invalid.
    options
        The limits.

    """
    valid = np.isfinite(depth) & (depth > 0)
    filled = np.where(valid, depth, np.float32(0)).astype(np.float32)
    square = np.ones((3, 3), np.uint8)
    farthest = cv2.dilate(filled, square)
    nearest = cv2.erode(np.where(valid, filled, np.float32(np.inf)), square)
    smooth = farthest - nearest <= options.edge * filled
    usable = valid & smooth & (depth <= options.maximum_depth)
    height, width = depth.shape
    inside = np.zeros_like(usable)
    inside[options.border : height - options.border, options.border : width - options.border] = (
        True
    )
    return np.asarray(usable & inside)


def reconstruct(
    views: Iterable[View],
    predict: Callable[[View], Prediction],
    options: FusionOptions,
) -> Reconstruction:
    """
    Fuse what is predicted of views, and what was measured in them.

    Parameters
    ----------
    views
        Each with pose and camera. Where depth was measured, only those pixels of the prediction
        are fused, so that both maps are of the same things.
    predict
        Gives depth and, optionally, labels of a view.
    options
        How to fuse.

    Raises
    ------
    HydranetError
        If a view has no pose or no calibration, or nothing of any view could be used.

    """
    predicted, measured = (VoxelMap(options.voxel_size, options.truncation) for _ in range(2))
    table = RayTable()
    ratios, poses = [], []
    for view in views:
        if view.pose is None or view.camera is None:
            missing = 'pose' if view.pose is None else 'calibration'
            raise HydranetError(f'View {view.name} has no {missing}; reconstruction needs both.')
        prediction = predict(view)
        if prediction.depth is None:
            raise HydranetError('The model has no depth; reconstruction needs a model that has.')
        depth = prediction.depth
        height, width = depth.shape
        rays = table.rays(view.camera.scaled(width, height), options.stride)
        if view.depth is not None:
            depth = np.where(np.isfinite(view.depth), depth, np.float32(np.nan))
            ratios.append(float(np.nanmedian(depth / view.depth)))
            truth = Prediction(depth=view.depth, labels=view.labels)
            _integrate(measured, view, rays, truth, options)
        _integrate(predicted, view, rays, replace(prediction, depth=depth), options)
        poses.append(view.pose)
    surface = predicted.surface(options.minimum_weight)
    if not len(surface.points):
        raise HydranetError(
            f'No surface came of {len(poses)} views; take more of them, a larger maximum depth '
            'or a larger edge limit.'
        )
    return Reconstruction(
        surface,
        measured.surface(options.minimum_weight) if ratios else None,
        len(poses),
        float(np.median(ratios)) if ratios else None,
        poses,
    )


def compare(predicted: Surface, measured: Surface, threshold: float = 0.05) -> Comparison:
    """
    Compare two surfaces point by point.

    Parameters
    ----------
    predicted, measured
        Surfaces of one voxel size, so that their points are equally dense.
    threshold
        Distance up to which a point is right, in metres.

    Raises
    ------
    HydranetError
        If scipy is not installed or a surface is empty.

    """
    try:
        from scipy.spatial import cKDTree
    except ImportError as error:
        raise HydranetError(
            'Comparing reconstructions needs the package scipy: install it with pip install scipy.'
        ) from error
    if not len(predicted.points) or not len(measured.points):
        raise HydranetError('A surface without points cannot be compared.')
    accuracy = cKDTree(measured.points).query(predicted.points)[0]
    completeness = cKDTree(predicted.points).query(measured.points)[0]
    return Comparison(
        accuracy=float(accuracy.mean()),
        accuracy_median=float(np.median(accuracy)),
        completeness=float(completeness.mean()),
        completeness_median=float(np.median(completeness)),
        precision=float((accuracy < threshold).mean()),
        recall=float((completeness < threshold).mean()),
        threshold=threshold,
    )


def _integrate(
    target: VoxelMap,
    view: View,
    rays: NDArray[np.float32],
    values: Prediction,
    options: FusionOptions,
) -> None:
    """Add the usable pixels of depth and labels of a view to a map."""
    assert view.pose is not None and values.depth is not None
    stride, labels = options.stride, values.labels
    usable = np.where(usable_pixels(values.depth, options), values.depth, np.float32(np.nan))
    points = depth_to_points(usable, rays, stride)
    seen = np.isfinite(points[..., 0])
    target.integrate(
        points[seen],
        view.rgb[::stride, ::stride][seen],
        None if labels is None else labels[::stride, ::stride][seen],
        view.pose,
    )
