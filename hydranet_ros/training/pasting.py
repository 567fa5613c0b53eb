# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Paste a part of one training sample, with annotations, into another: ClassMix and CutMix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import ANNOTATIONS, Sample
from hydranet_ros.model.labels import UNLABELED

Mask = NDArray[np.bool_]


def paste(sample: Sample, partner: Sample, mask: Mask) -> Sample:
    """
    Where an H×W mask is true, replace the pixels of a sample with those of its partner.

    Annotations are replaced too. Depth stays metric, since both samples have the same focal
    length. If a sample lacks an annotation, its pixels are unknown in the result.
    """
    annotations = {}
    for name in ANNOTATIONS:
        fill = UNLABELED if name == 'segmentation' else np.nan
        ours, theirs = getattr(sample, name), getattr(partner, name)
        if ours is None and theirs is None:
            continue
        ours = np.full_like(theirs, fill) if ours is None else ours.copy()
        ours[mask] = fill if theirs is None else theirs[mask]
        annotations[name] = ours
    return replace(
        sample,
        name=f'{sample.name} with parts of {partner.name}',
        image=np.where(mask[..., None], partner.image, sample.image),
        label_set=sample.label_set or partner.label_set,
        **annotations,
    )


def class_mask(sample: Sample, rng: np.random.Generator) -> Mask:
    """
    Return the mask of the pixels of half of a sample's classes (rounded down), chosen at random.

    Olsson et al., ClassMix (2021).
    """
    labels = sample.segmentation
    if labels is None:
        return np.zeros(sample.image.shape[:2], bool)
    classes = np.unique(labels[labels != UNLABELED])
    return np.isin(labels, rng.choice(classes, len(classes) // 2, replace=False))


def box_mask(height: int, width: int, rng: np.random.Generator) -> Mask:
    """
    Return the mask of a random box with half of the image area, or of the pixels outside it.

    CutMix (Yun et al. 2019) as French et al. (2020) use it for segmentation.
    """
    share = 0.5 ** rng.uniform()  # of the height; the share of the width is 0.5 / share
    rows, columns = round(height * share), round(width * 0.5 / share)
    top, left = (int(rng.integers(0, n, endpoint=True)) for n in (height - rows, width - columns))
    mask = np.zeros((height, width), bool)
    mask[top : top + rows, left : left + columns] = True
    # Half of the masks are inverted, since such a box always covers the middle of the image.
    return mask if rng.random() < 0.5 else ~mask
