# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Reconstruct a scene from predicted depth and labels at known poses, and measure the result.

The predicted surface is compared with the surface that measured depth gives for the same pixels,
as in reconstruction benchmarks (Knapitsch et al., Tanks and Temples, 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import depth_to_points, RayTable
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.reconstruction.fusion import Surface, VoxelMap
from hydranet_ros.runtime.predictor import Prediction


@dataclass(frozen=True)
class FusionOptions:
    """How images are fused."""

    voxel_size: float = 0.03  # metres
    stride: int = 2  # every N-th row and column of an image is used
    maximum_depth: float = 5.0  # metres along z; farther pixels are skipped
    # Pixels where depth changes by more than this share within 3×3 pixels are skipped: at edges of
    # objects, networks predict depths between the object and its background.
    edge: float = 0.05
    # Width in pixels of the image border that is skipped: a network has context on one side only.
    border: int = 8
    # Truncation distance, metres. Depths of two images that differ by more than this give separate
    # surfaces.
    truncation: float = 0.15
    minimum_weight: float = 0.5  # of voxels to keep; an image at distance z adds 1 / z²


@dataclass(frozen=True)
class Comparison:
    """How a reconstructed surface differs from the measured surface."""

    accuracy: float  # mean distance of reconstructed points from the measured surface, metres
    accuracy_median: float
    completeness: float  # mean distance of measured points from the reconstructed surface, metres
    completeness_median: float
    precision: float  # share of reconstructed points with a distance below the threshold
    recall: float  # share of measured points with a distance below the threshold
    threshold: float  # metres

    @property
    def f_score(self) -> float:
        """Return the harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The surfaces that were fused."""

    predicted: Surface
    measured: Surface | None
    views: int  # number of images fused
    # Median over the images of each image's median ratio of predicted to measured depth.
    depth_ratio: float | None
    poses: list[NDArray[np.float64]] = field(repr=False)  # camera-to-world, of each image
    without_pose: list[str] = field(default_factory=list)  # names of the skipped images


def usable_pixels(depth: NDArray[np.float32], options: FusionOptions) -> NDArray[np.bool_]:
    """Return the mask of pixels to fuse: valid, near, not at a depth edge or the border."""
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
    samples: Iterable[Sample],
    predict: Callable[[Sample], Prediction],
    options: FusionOptions,
) -> Reconstruction:
    """
    Fuse the predictions for samples into one surface, and their measured depth into another.

    If a sample has measured depth, only its measured pixels are fused, so that both surfaces show
    the same parts of the scene. Samples without a pose are skipped.

    Raises HydranetError if no sample has a pose, a sample with a pose has no camera, the model
    predicts no depth, or no pixel could be used.
    """
    predicted, measured = (VoxelMap(options.voxel_size, options.truncation) for _ in range(2))
    table = RayTable()
    ratios, poses = [], []
    without_pose: list[str] = []
    for sample in samples:
        if sample.pose is None:
            without_pose.append(sample.name)
            continue
        if sample.camera is None:
            raise HydranetError(f'{sample.name} has no calibration; reconstruction needs it.')
        prediction = predict(sample)
        if prediction.depth is None:
            raise HydranetError('The model predicts no depth; reconstruction needs it.')
        depth = prediction.depth
        height, width = depth.shape
        rays = table.rays(sample.camera.scaled(width, height), options.stride)
        if sample.depth is not None:
            depth = np.where(np.isfinite(sample.depth), depth, np.float32(np.nan))
            ratios.append(float(np.nanmedian(depth / sample.depth)))
            truth = Prediction(depth=sample.depth, labels=sample.segmentation)
            _integrate(measured, sample, rays, truth, options)
        _integrate(predicted, sample, rays, replace(prediction, depth=depth), options)
        poses.append(sample.pose)
    if without_pose and not poses:
        raise HydranetError(f'{without_pose[0]} has no pose; reconstruction needs poses.')
    surface = predicted.surface(options.minimum_weight)
    if not len(surface.points):
        raise HydranetError(
            f'{len(poses)} images gave no surface; use more images, a larger maximum depth or a '
            'larger edge limit.'
        )
    return Reconstruction(
        surface,
        measured.surface(options.minimum_weight) if ratios else None,
        len(poses),
        float(np.median(ratios)) if ratios else None,
        poses,
        without_pose,
    )


def compare(predicted: Surface, measured: Surface, threshold: float = 0.05) -> Comparison:
    """
    Compare two surfaces with the same voxel size; the threshold is in metres.

    Raises HydranetError if scipy is not installed or a surface is empty.
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
    sample: Sample,
    rays: NDArray[np.float32],
    values: Prediction,
    options: FusionOptions,
) -> None:
    """Add the usable pixels of a sample to a map, with depth and labels from ``values``."""
    assert sample.pose is not None and values.depth is not None
    stride, labels = options.stride, values.labels
    usable = np.where(usable_pixels(values.depth, options), values.depth, np.float32(np.nan))
    points = depth_to_points(usable, rays, stride)
    seen = np.isfinite(points[..., 0])
    target.integrate(
        points[seen],
        sample.image[::stride, ::stride][seen],
        None if labels is None else labels[::stride, ::stride][seen],
        sample.pose,
    )
