# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Augmentation: geometric changes of image and annotations, colour changes of the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import UNLABELED
from hydranet_ros.training.resizing import reframe, rescale, stretch_world


@dataclass(frozen=True)
class Augmentation:
    """How samples are varied at random."""

    flip: float = 0.5  # probability of mirroring left and right
    brightness: float = 0.3
    """
    Largest relative change v, also for the next three fields: a factor is drawn log-uniformly
    from 1/(1 + v) to 1 + v.
    """
    contrast: float = 0.3
    gamma: float = 0.2
    saturation: float = 0.4
    white_balance: float = 0.1  # as brightness, but drawn separately for each colour channel
    hue: float = 0.0  # largest rotation of the hue, degrees
    grey: float = 0.0  # probability of removing the colours
    blur: float = 0.0  # probability of a Gaussian blur of 0.3 to 1.5 pixels
    noise: float = 0.0  # largest standard deviation; pixels are 0 to 255
    classmix: float = 0.0  # probability of pasting half of the classes of another sample
    cutmix: float = 0.0  # probability of pasting a box of another sample instead

    def __post_init__(self) -> None:
        if self.classmix + self.cutmix > 1:
            raise HydranetError(
                'The probabilities `augmentation.classmix` and `augmentation.cutmix` sum to more '
                'than 1; lower one of them.'
            )


@dataclass(frozen=True)
class Stretch:
    """How the scenes of a dataset are stretched, so that streets vary in width."""

    width: tuple[float, float] = (1.0, 1.0)  # range of factors on sideways distances, log-uniform
    height: tuple[float, float] = (1.0, 1.0)  # as width, for heights above the camera
    horizon: float = 0.5  # row at eye level, as a share of the image height


def flip(sample: Sample) -> Sample:
    """Mirror left and right; the x component of normals changes its sign."""
    height, width = sample.image.shape[:2]
    normals = sample.normals
    if normals is not None:
        normals = normals[:, ::-1] * np.array([-1, 1, 1], np.float32)
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        segmentation=_mirrored(sample.segmentation),
        depth=_mirrored(sample.depth),
        normals=normals,
        camera=reframe(sample.camera, (width, height), zoom=(-1.0, 1.0), shift=(width, 0.0)),
    )


def crop(sample: Sample, height: int, width: int, top: int, left: int) -> Sample:
    """
    Cut a window out of a sample; outside the image, the window is black and has no annotation.

    ``top`` and ``left`` are the window's upper left corner in the image and may be negative.
    """

    def cut(array: NDArray | None, fill: float) -> NDArray | None:
        if array is None:
            return None
        rows = slice(max(top, 0), min(top + height, array.shape[0]))
        columns = slice(max(left, 0), min(left + width, array.shape[1]))
        inside = array[rows, columns]
        if inside.shape[:2] == (height, width):
            return np.ascontiguousarray(inside)
        window = np.full((height, width, *array.shape[2:]), fill, array.dtype)
        y, x = rows.start - top, columns.start - left
        window[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
        return window

    image = cut(sample.image, 0)
    assert image is not None
    return replace(
        sample,
        image=image,
        segmentation=cut(sample.segmentation, UNLABELED),
        depth=cut(sample.depth, np.nan),
        normals=cut(sample.normals, np.nan),
        camera=reframe(sample.camera, (width, height), shift=(-left, -top)),
    )


def to_canonical(sample: Sample, canonical_focal: float) -> Sample:
    """Convert the depth of a sample to the canonical focal length."""
    if sample.depth is None:
        return sample
    if sample.fx is None:
        raise HydranetError(
            f'{sample.name} has depth but no focal length, which `canonical_focal` needs; add '
            '`intrinsics` to its dataset file.'
        )
    height, width = sample.image.shape[:2]
    return replace(
        sample,
        depth=sample.depth * np.float32(canonical_focal / sample.fx),
        camera=reframe(sample.camera, (width, height), fx=canonical_focal),
    )


def jitter(
    image: NDArray[np.uint8], augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Vary colours, sharpness and noise of an RGB image."""
    tables = _tone_tables(augmentation, rng)
    varied: NDArray = cv2.LUT(image, tables)
    grey = cv2.cvtColor(cv2.cvtColor(varied, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    saturation = _factor(augmentation.saturation, rng)
    if rng.random() < augmentation.grey:
        saturation = 0.0
    varied = cv2.addWeighted(varied, saturation, grey, 1 - saturation, 0)
    if augmentation.hue:
        hsv = cv2.cvtColor(varied, cv2.COLOR_RGB2HSV_FULL)
        turn = rng.uniform(-augmentation.hue, augmentation.hue) / 360 * 256
        hsv[..., 0] += np.uint8(round(turn) % 256)
        varied = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    if rng.random() < augmentation.blur:
        varied = cv2.GaussianBlur(varied, (0, 0), rng.uniform(0.3, 1.5))
    if augmentation.noise:
        deviation = rng.uniform(0, augmentation.noise)
        noise = rng.standard_normal(varied.shape, np.float32) * np.float32(deviation)
        varied = np.clip(varied + noise, 0, 255)
    return np.asarray(varied, np.uint8)


def augment(
    sample: Sample,
    augmentation: Augmentation,
    rng: np.random.Generator,
    *,
    size: tuple[int, int],
    scale: tuple[float, float],
    canonical_focal: float | None,
    stretch: Stretch | None = None,
) -> Sample:
    """
    Resize, mirror, crop and recolour a sample at random.

    If some allowed factors make the image fill the window, only these are used: training on images
    with black bars gives wrong depth for images without bars (docs/experiments/training.md).

    Parameters
    ----------
    rng
        Source of all randomness.
    size
        Height and width of the result, in pixels.
    scale
        Range of the factor on the image size; the factor is drawn log-uniformly.
    canonical_focal
        Focal length in pixels that depth is converted to; None to treat all cameras as one.
    stretch
        How to stretch the scene first; None for no stretching.

    """
    rows, columns = sample.image.shape[:2]
    height, width = size
    one_camera = canonical_focal is None
    if stretch is None:
        factor = _between(allowed_factors(scale, height / rows, width / columns), rng)
        sample = rescale(sample, factor, one_camera)
    else:
        wider, taller = _between(stretch.width, rng), _between(stretch.height, rng)
        horizon = round(stretch.horizon * rows)
        stretched_rows = rows + horizon * (taller - 1)
        factors = allowed_factors(scale, height / stretched_rows, width / (columns * wider))
        factor = _between(factors, rng)
        sample = stretch_world(
            sample, wider, taller, horizon, factor=factor, one_camera=one_camera
        )
    sample = crop(
        sample,
        height,
        width,
        _offset(sample.image.shape[0], height, rng),
        _offset(sample.image.shape[1], width, rng),
    )
    if rng.random() < augmentation.flip:
        sample = flip(sample)
    if canonical_focal is not None:
        sample = to_canonical(sample, canonical_focal)
    return replace(sample, image=jitter(sample.image, augmentation, rng))


def _offset(available: int, wanted: int, rng: np.random.Generator) -> int:
    """Draw the start of a window; it lies in the image, or contains a smaller image."""
    slack = available - wanted
    return int(rng.integers(min(slack, 0), max(slack, 0), endpoint=True))


def _between(limits: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def allowed_factors(
    scale: tuple[float, float], vertical: float, horizontal: float
) -> tuple[float, float]:
    """
    Return the range of factors with which an image fills the window, or ``scale`` if none does.

    ``vertical`` and ``horizontal`` are the size of the window relative to the image.
    """
    smallest, largest = scale
    filling = max(vertical, horizontal)
    return (max(smallest, filling) if filling <= largest else smallest), largest


def _factor(change: float, rng: np.random.Generator) -> float:
    limit = np.log1p(change)
    return float(np.exp(rng.uniform(-limit, limit)))


def _tone_tables(augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a 1 x 256 x 3 table that applies gamma, contrast, brightness and white balance."""
    level = np.linspace(0, 1, 256) ** _factor(augmentation.gamma, rng)
    level = (level - 0.5) * _factor(augmentation.contrast, rng) + 0.5
    level = level * _factor(augmentation.brightness, rng)
    gains = np.array([_factor(augmentation.white_balance, rng) for _ in range(3)])
    table = np.clip(255 * level[:, None] * gains, 0, 255)
    return table.astype(np.uint8)[None]


def _mirrored(array: NDArray | None) -> NDArray | None:
    return None if array is None else np.ascontiguousarray(array[:, ::-1])
