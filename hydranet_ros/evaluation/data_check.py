# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What annotated images contain: counts, classes, depth, and what looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.data.sample import ANNOTATIONS, RgbImage, Sample
from hydranet_ros.model.labels import LabelSet, UNLABELED
from hydranet_ros.pictures.panels import contact_sheet, Look, Panel, result_panels

_PIXELS_PER_IMAGE = 5000
"""Depths that are kept of each image, for percentiles."""
_NAMES = 5  # names that a sentence gives
_SENSIBLE_DEPTH = (0.05, 500.0)
"""Metres between which a median depth is plausible; others come from a wrong unit."""
_SHOWN_DEPTH = (0.5, 80.0)  # metres, if no depth is known
_PANEL_WIDTH = 320
_RARE = 1e-4  # share of pixels below which a class is hardly learned


@dataclass
class DataCheck:
    """Counts over samples; `add` each of them."""

    label_set: LabelSet | None  # None: class ids have no names
    images: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # of (width, height)
    focal_lengths: set[float | None] = field(default_factory=set)  # pixels
    poses: int = 0
    annotated: Counter[str] = field(default_factory=Counter)  # images by task
    lacking: dict[str, list[str]] = field(default_factory=dict)  # names of images by task
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))  # by id
    images_with: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    depth_pixels: list[int] = field(default_factory=lambda: [0, 0])  # with depth, of all
    depths: list[NDArray[np.float32]] = field(default_factory=list)  # metres, some of each image

    def add(self, sample: Sample) -> None:
        """Count a sample."""
        height, width = sample.image.shape[:2]
        self.images += 1
        self.sizes[width, height] += 1
        self.focal_lengths.add(None if sample.fx is None else round(sample.fx, 1))
        self.poses += sample.pose is not None
        for task in ANNOTATIONS:
            if getattr(sample, task) is None:
                self.lacking.setdefault(task, []).append(sample.name)
            else:
                self.annotated[task] += 1
        if sample.segmentation is not None:
            counts = np.bincount(sample.segmentation.ravel(), minlength=256)
            self.pixels += counts
            self.images_with += counts > 0
        if sample.depth is not None:
            known = sample.depth[np.isfinite(sample.depth) & (sample.depth > 0)]
            self.depth_pixels[0] += known.size
            self.depth_pixels[1] += sample.depth.size
            self.depths.append(known[:: max(1, known.size // _PIXELS_PER_IMAGE)])

    @property
    def depth_range(self) -> tuple[float, float] | None:
        """Return the colour range: percentiles 1 and 99 of depth, metres; None without depth."""
        values = np.concatenate(self.depths) if self.depths else np.empty(0)
        if not values.size:
            return None
        near, far = np.percentile(values, (1, 99))
        return float(near), float(max(far, 1.1 * near))

    def report(self) -> str:
        """Return the counts as text."""
        sizes = ', '.join(f'{count} of {w}x{h}' for (w, h), count in self.sizes.most_common(4))
        more = len(self.sizes) - 4
        lines = [
            f'images: {sizes}{f" and {more} other sizes" if more > 0 else ""}',
            f'focal length: {self._focal_lengths()}',
        ]
        if self.poses:
            lines.append(f'poses: {self.poses} images')
        lines += [*self._segmentation(), *self._depth()]
        if count := self.annotated['normals']:
            lines.append(f'normals: {count} images')
        return '\n'.join(lines)

    def faults(self) -> Iterator[str]:
        """Yield sentences on what looks wrong."""
        for task in ANNOTATIONS:
            if self.annotated[task] and task in self.lacking:
                yield f'Images without {task}: {listed(self.lacking[task])}.'
        if not self.annotated:
            yield 'No image has an annotation.'
        if len(self.focal_lengths) > 1 and None in self.focal_lengths:
            yield 'Some images have a focal length and others have none.'
        if self.depths:
            yield from self._faults_of_depth()
        if self.annotated['segmentation']:
            yield from self._faults_of_labels()

    def _focal_lengths(self) -> str:
        known = sorted(fx for fx in self.focal_lengths if fx is not None)
        if not known:
            return 'unknown'
        return f'{known[0]:g} px' if len(known) == 1 else f'{known[0]:g} to {known[-1]:g} px'

    def _segmentation(self) -> Iterator[str]:
        if not self.annotated['segmentation']:
            return
        total = self.pixels.sum()
        unlabelled = self.pixels[UNLABELED] / total
        name = self.label_set.name if self.label_set else 'class ids without names'
        yield (
            f'segmentation ({name}): {self.annotated["segmentation"]} images, '
            f'{unlabelled:.1%} of the pixels unlabelled'
        )
        classes = self.label_set.classes if self.label_set else map(str, range(UNLABELED))
        width = max(map(len, self.label_set.classes)) if self.label_set else 3
        labelled = max(total - self.pixels[UNLABELED], 1)
        yield f'  {"id":>3}  {"class":{width}}  {"images":>6}  {"pixels":>8}'
        for index, each in enumerate(classes):
            if self.label_set or self.pixels[index]:
                share = self.pixels[index] / labelled
                yield f'  {index:3}  {each:{width}}  {self.images_with[index]:6}  {share:8.2%}'

    def _depth(self) -> Iterator[str]:
        if not self.annotated['depth']:
            return
        known, total = self.depth_pixels
        text = f'depth: {self.annotated["depth"]} images, {known / total:.1%} of the pixels'
        if self.depth_range:
            values = np.concatenate(self.depths)
            near, middle, far = np.percentile(values, (1, 50, 99))
            text += (
                f', {values.min():.3g} to {values.max():.3g} m '
                f'(1 % below {near:.3g}, half below {middle:.3g}, 99 % below {far:.3g})'
            )
        yield text

    def _faults_of_depth(self) -> Iterator[str]:
        values = np.concatenate(self.depths)
        empty = sum(not depth.size for depth in self.depths)
        if empty:
            yield f'Depth images without a valid pixel: {empty}.'
        if values.size and not _SENSIBLE_DEPTH[0] < np.median(values) < _SENSIBLE_DEPTH[1]:
            yield (
                f'The median depth is {np.median(values):.3g} m: is the unit right '
                '(`units_per_metre`, `--depth-unit`)?'
            )

    def _faults_of_labels(self) -> Iterator[str]:
        total = self.pixels.sum()
        if self.pixels[UNLABELED] == total:
            yield 'All pixels are unlabelled: is the list of ids to `ignore` right?'
            return
        if self.label_set is None:
            return
        shares = self.pixels[: self.label_set.size] / (total - self.pixels[UNLABELED])
        absent = [c for c, share in zip(self.label_set.classes, shares, strict=True) if not share]
        rare = [
            name
            for name, share in zip(self.label_set.classes, shares, strict=True)
            if 0 < share < _RARE
        ]
        strange = (
            np.flatnonzero(self.pixels[self.label_set.size : UNLABELED]) + self.label_set.size
        )
        if strange.size:
            yield f'Ids outside the label set: {listed(list(map(str, strange)))}.'
        if absent:
            yield f'Classes that never occur: {listed(absent)}.'
        if rare:
            yield f'Classes with less than {_RARE:.2%} of the pixels: {listed(rare)}.'


def listed(names: list[str]) -> str:
    """Return the number of names, and the first ones."""
    more = ', …' if len(names) > _NAMES else ''
    return f'{len(names)} ({", ".join(names[:_NAMES])}{more})'


def draw_sheet(samples: Sequence[Sample], check: DataCheck, title: str) -> RgbImage:
    """Draw images with their annotations, one row per image, and the legends."""
    look = Look(check.label_set or _numbered_classes(), check.depth_range or _SHOWN_DEPTH)
    fields = {'labels': 'segmentation', 'depth': 'depth', 'normals': 'normals'}
    drawn = [
        {
            panel.name: panel
            for name, task in fields.items()
            for panel in result_panels(sample.image, {name: getattr(sample, task)}, look)
        }
        for sample in samples
    ]
    names = list(dict.fromkeys(name for panels in drawn for name in panels))
    rows = []
    for sample, panels in zip(samples, drawn, strict=True):
        nothing = np.zeros_like(sample.image)
        annotations = [panels.get(name) or Panel(name, nothing) for name in names]
        rows.append([Panel('image', sample.image), *annotations])
    return contact_sheet(
        rows, look, title=title, note=f'{check.images} images', panel_width=_PANEL_WIDTH
    )


def _numbered_classes() -> LabelSet:
    """Return a label set that names each id by its number."""
    hues = np.arange(UNLABELED) * 0.381966 % 1  # the golden ratio keeps neighbours apart
    hsv = np.stack([179 * hues, np.full(UNLABELED, 200), np.full(UNLABELED, 230)], axis=1)
    colors = cv2.cvtColor(hsv[None].astype(np.uint8), cv2.COLOR_HSV2RGB)[0]
    names = tuple(map(str, range(UNLABELED)))
    return LabelSet('numbers', names, np.asarray(colors, np.uint8))
