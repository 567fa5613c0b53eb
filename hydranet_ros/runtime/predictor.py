# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Predict from an image, with the best runtime of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
import time
from typing import get_args, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.resize import resize_image, resize_nearest
from hydranet_ros.camera.working_width import MINIMUM_SIZE, MODEL_CHOICE
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, BundleMetadata
from hydranet_ros.model.exported_model import ExportedModel, read_model
from hydranet_ros.model.labels import LabelSet
from hydranet_ros.resources import model_path
from hydranet_ros.runtime.backends import open_backend
from hydranet_ros.runtime.working_size import choose_working_size, WorkingSize

OutputSize = Literal['input', 'working']
OUTPUT_SIZES: tuple[OutputSize, ...] = get_args(OutputSize)


@dataclass(frozen=True, eq=False)
class Prediction:
    """
    The result of one forward pass; None means not computed.

    H x W is the size of the image, or the working size if the predictor was asked for it.
    """

    labels: NDArray[np.uint8] | None = None  # H x W class ids of the predictor's label set
    depth: NDArray[np.float32] | None = None  # H x W metres along the optical axis (REP 118)
    normals: NDArray[np.float32] | None = None  # H x W x 3 unit surface normals
    confidence: NDArray[np.uint8] | None = None  # H x W, 255 * softmax probability
    timing: dict[str, float] = field(default_factory=dict)
    """Seconds by stage: resize, upload, forward, download, restore, total."""
    scale_assumed: bool = False  # True if depth is scaled with an assumed focal length
    working: WorkingSize | None = None  # what the network saw


class Predictor:
    """
    A model, loaded and warmed up.

    Parameters
    ----------
    model
        A bundle or exported graph, its path, or the name of a shipped model.
    device, backend, precision
        As for :func:`~hydranet_ros.runtime.backends.open_backend`.
    label_set
        Label set of the model to predict; None for the first.
    fields
        Fields of :class:`Prediction` to compute, e.g. ``('labels', 'confidence')``; None for the
        first of each task.
    warm_up_size
        Height and width of an image on which the network is run once, so that the first frame is
        not slow; None for no warm-up. See also `warm_up`.
    working_width
        Width in pixels to which images are resized for the network, ``MODEL_CHOICE`` or
        ``NATIVE``; see :mod:`hydranet_ros.runtime.working_size`.
    output_size
        Size of the outputs: that of the image, or the working size.

    """

    def __init__(
        self,
        model: str | Path | Bundle | ExportedModel,
        *,
        device: str = 'auto',
        backend: str = 'auto',
        precision: str = 'auto',
        label_set: str | None = None,
        fields: Sequence[str] | None = None,
        warm_up_size: tuple[int, int] | None = (64, 64),
        working_width: int = MODEL_CHOICE,
        output_size: OutputSize = 'input',
    ) -> None:
        if not isinstance(model, Bundle | ExportedModel):
            model = read_model(model_path(model))
        self._model = model
        self.metadata: BundleMetadata = model.metadata
        self.working_width, self.output_size = working_width, output_size
        self._last_size: tuple[int, int] | None = None  # width and height that the network saw
        self._only_size = model.size if isinstance(model, ExportedModel) else None
        if isinstance(model, ExportedModel):
            label_set = label_set or model.label_set
        piece = self.metadata.label_slice(label_set)
        self.label_set: LabelSet | None = piece.labels if piece else None
        self.backend = open_backend(
            model,
            backend=backend,
            device=device,
            precision=precision,
            label_set=label_set,
            fields=fields,
        )
        if warm_up_size is not None:
            self._run_black(*(self._only_size or warm_up_size))

    def predict(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Prediction:
        """
        Predict one image.

        Parameters
        ----------
        rgb
            H x W x 3, uint8, RGB; at least 32 x 32. It is not modified.
        fx
            Focal length of the camera in pixels of this image. If the model has a canonical focal
            length, depth is output * fx / canonical. If ``fx`` is None, the bundle's default focal
            length or, without a default, the canonical one is assumed, and ``scale_assumed`` is
            set.

        """
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            shape = ' x '.join(str(n) for n in rgb.shape)
            raise HydranetError(
                f'The predictor needs an H x W x 3 uint8 RGB image, not {shape} {rgb.dtype}.'
            )
        height, width = rgb.shape[:2]
        if min(height, width) < MINIMUM_SIZE:
            raise HydranetError(
                f'An image of {width}x{height} pixels is too small: the network needs at least '
                f'{MINIMUM_SIZE}x{MINIMUM_SIZE}.'
            )
        working = self._working_size(width, height, fx)
        begin = time.perf_counter()
        seen = rgb if working.size == (width, height) else resize_image(rgb, working.size)
        resized = time.perf_counter()
        scale = self.metadata.length_scale(working.focal, working.width / width)
        outputs, timing = self.backend.run(np.ascontiguousarray(seen), scale)
        self._last_size = working.size
        ran = time.perf_counter()
        if seen is not rgb:
            if self.output_size == 'input':
                outputs = {
                    name: _restored(name, values, (width, height))
                    for name, values in outputs.items()
                }
            timing |= {'resize': resized - begin, 'restore': time.perf_counter() - ran}
        timing['total'] = sum(timing.values())
        assumed = fx is None and self.metadata.canonical_focal is not None
        return Prediction(**outputs, timing=timing, scale_assumed=assumed, working=working)

    def _working_size(self, width: int, height: int, fx: float | None) -> WorkingSize:
        if self._only_size is None:
            return choose_working_size(self.metadata, width, height, fx, self.working_width)
        only_height, only_width = self._only_size
        working = choose_working_size(self.metadata, width, height, fx, only_width)
        if working.size != (only_width, only_height):
            raise HydranetError(
                f'The model was exported for images of {only_width}x{only_height} pixels, and '
                f'{width}x{height} has another aspect ratio; export it again without --size.'
            )
        return working

    def for_label_set(self, label_set: str, warm_up_size: tuple[int, int]) -> Predictor:
        """
        Return another predictor of this model, on the same runtime, for another label set.

        This predictor stays usable meanwhile and afterwards. Raises HydranetError if the
        model has no such label set.
        """
        other = Predictor(
            self._model,
            device=self.backend.device,
            backend=self.backend.name,
            precision=self.backend.precision,
            label_set=label_set,
            fields=self.backend.fields,
            warm_up_size=warm_up_size,
            working_width=self.working_width,
            output_size=self.output_size,
        )
        if self._last_size is not None:
            other._run_black(*self._last_size[::-1])
        return other

    def warm_up(self, height: int, width: int, fx: float | None = None) -> float:
        """Prepare for images of this size and focal length; return the duration in seconds."""
        begin = time.perf_counter()
        self._run_black(*self._working_size(width, height, fx).size[::-1])
        return time.perf_counter() - begin

    def _run_black(self, height: int, width: int) -> None:
        """Run the network once on a black image of exactly this size."""
        self.backend.run(np.zeros((height, width, 3), np.uint8), 1.0)

    def close(self) -> None:
        """Free the model and the device's memory; the predictor must not be used afterwards."""
        self.backend.close()


def _restored(name: str, values: NDArray, size: tuple[int, int]) -> NDArray:
    """Resize an output to (width, height); class ids cannot be averaged."""
    if name == 'labels' or size[0] < values.shape[1]:
        return resize_nearest(values, size)
    enlarged = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR))
    if name == 'normals':
        return enlarged / np.linalg.norm(enlarged, axis=2, keepdims=True).clip(min=1e-6)
    return enlarged
