# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The inputs and outputs of a third-party network."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.training.distillation.teachers.base import Annotation, Teacher
from hydranet_ros.training.distillation.teachers.tiled_views import resize, Views

LAYOUTS = ('nhwc', 'nchw')
MEANINGS = ('ids', 'logits', 'probabilities', 'depth')


@dataclass(frozen=True)
class Signature:
    """The input of a network, and the meaning of its output."""

    size: tuple[int, int]  # height and width of the input
    meaning: str
    """``ids`` (class ids), ``logits`` or ``probabilities`` (a channel per class), or ``depth``."""
    label_set: str | None = None  # of the output's classes; None for depth
    dtype: str = 'float32'  # uint8 (raw values) or float32 (normalised)
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The float input is (rgb / 255 - mean) / std."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = 'nhwc'  # nhwc or nchw, of the input and of outputs with channels
    channels: str = 'rgb'  # rgb or bgr
    tensor: str | None = None
    """
    Name of the output, or of an inner tensor of a TFLite file, such as the logits before a
    built-in argmax; None is the first output.
    """
    metres: float = 1.0  # per unit of a depth output

    def __post_init__(self) -> None:
        for name, allowed in (
            ('meaning', MEANINGS),
            ('layout', LAYOUTS),
            ('dtype', ('uint8', 'float32')),
            ('channels', ('rgb', 'bgr')),
        ):
            if getattr(self, name) not in allowed:
                raise HydranetError(
                    f"A signature's `{name}` must be one of {', '.join(allowed)}, not "
                    f'{getattr(self, name)!r}.'
                )
        if len(self.size) != 2 or min(self.size) < 1:
            raise HydranetError("A signature's `size` must be the height and the width in pixels.")
        if (self.label_set is None) != (self.meaning == 'depth'):
            raise HydranetError(
                'A signature needs a `label_set` if, and only if, its `meaning` is not depth.'
            )

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray:
        """Return a tile as the network's input, with a batch axis of length 1."""
        height, width = self.size
        shrinks = rgb.shape[0] >= height and rgb.shape[1] >= width
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(rgb, (width, height), interpolation=interpolation))
        if self.channels == 'bgr':
            image = image[..., ::-1]
        if self.dtype == 'float32':
            mean, std = (np.asarray(each, np.float32) for each in (self.mean, self.std))
            image = (image.astype(np.float32) / np.float32(255) - mean) / std
        if self.layout == 'nchw':
            image = image.transpose(2, 0, 1)
        return np.ascontiguousarray(image[None])

    def interpret(self, output: NDArray, classes: int) -> NDArray[np.float32]:
        """
        Return an output as logits, scores or metres of shape (h, w, channels).

        Raises HydranetError if the output's shape or ids do not fit the signature.
        """
        if self.meaning in ('ids', 'depth'):
            plane = np.squeeze(output)
            if plane.ndim != 2:
                raise HydranetError(
                    f'The teacher gave {self.meaning} of shape {output.shape}, not an image.'
                )
            if self.meaning == 'depth':
                return (plane.astype(np.float32) * np.float32(self.metres))[..., None]
            if plane.min() < 0 or plane.max() >= classes:
                raise HydranetError(
                    f'The teacher gave the id {plane.max()}, but its label set '
                    f'{self.label_set} has {classes} classes.'
                )
            return np.eye(classes, dtype=np.float32)[plane.astype(np.int64)]
        values = output[0].astype(np.float32)
        if self.layout == 'nchw':
            values = values.transpose(1, 2, 0)
        if values.ndim != 3 or values.shape[2] != classes:
            raise HydranetError(
                f'The teacher gave {self.meaning} of shape {output.shape}, but its label set '
                f'{self.label_set} has {classes} classes.'
            )
        return values


class SignatureTeacher(Teacher):
    """Base class of teachers that run a network with a signature on several views."""

    def __init__(self, signature: Signature, views: Views) -> None:
        self.signature = signature
        self.views = views
        self.labels = load_label_set(signature.label_set) if signature.label_set else None
        self.gives_depth = signature.meaning == 'depth'

    @abstractmethod
    def _run(self, batch: NDArray) -> NDArray:
        """Return the output of the network for an input made by ``Signature.prepare``."""

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Annotate one image (see ``Teacher.annotate``); ``fx`` is not used."""
        values = self.views.average(rgb, self._infer)
        return Annotation(depth=values[..., 0]) if self.gives_depth else Annotation(scores=values)

    def _infer(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        classes = self.labels.size if self.labels else 0
        values = self.signature.interpret(self._run(self.signature.prepare(tile)), classes)
        # Resize logits before the softmax, since logits are smoother than probabilities.
        values = resize(values, *tile.shape[:2])
        return softmax(values) if self.signature.meaning == 'logits' else values


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
