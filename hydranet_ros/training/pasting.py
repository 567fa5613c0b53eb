# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Paste part of one training sample into another, with its annotations: ClassMix and CutMix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import ANNOTATIONS, Sample
from hydranet_ros.model.labels import UNLABELED

Mask = NDArray[np.bool_]


def paste(sample: Sample, partner: Sample, mask: Mask) -> Sample:
    """
    Replace the pixels of a sample where an H×W mask is set by those of another of its dataset.

    Annotations go along: depth stays metric, since both are given for the same focal length. Where
    the one that a pixel comes from has no annotation, its value is unknown.
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
    Choose half of the classes of a sample, rounded down, and return where they are.

    Olsson et al., ClassMix (2021).
    """
    labels = sample.segmentation
    if labels is None:
        return np.zeros(sample.image.shape[:2], bool)
    classes = np.unique(labels[labels != UNLABELED])
    return np.isin(labels, rng.choice(classes, len(classes) // 2, replace=False))


def box_mask(height: int, width: int, rng: np.random.Generator) -> Mask:
    """
    Return a box of half of the area, of random place and proportions, or all but the box.

    CutMix (Yun et al. 2019) as French et al. (2020) use it for segmentation.
    """
    share = 0.5 ** rng.uniform()  # of the height; that of the width is 0.5 / share
    rows, columns = round(height * share), round(width * 0.5 / share)
    top, left = (int(rng.integers(0, n, endpoint=True)) for n in (height - rows, width - columns))
    mask = np.zeros((height, width), bool)
    mask[top : top + rows, left : left + columns] = True
    # Such a box always covers the middle.
    return mask if rng.random() < 0.5 else ~mask
