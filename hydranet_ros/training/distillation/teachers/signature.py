# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What goes into a network of others and what its output means."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError

LAYOUTS = ('nhwc', 'nchw')
MEANINGS = ('ids', 'logits', 'probabilities', 'depth')


@dataclass(frozen=True)
class Signature:
    """
    What goes into an exported network and what its output means.

    Attributes
    ----------
    size
        Height and width of the input in pixels.
    meaning
        ``ids`` (class ids), ``logits`` or ``probabilities`` (a channel a class), or ``depth``.
    label_set
        Name of the label set of its classes; None for depth.
    dtype
        ``uint8`` (the image's own values) or ``float32`` (normalised).
    mean, std
        The float input is (rgb / 255 - mean) / std.
    layout
        ``nhwc`` or ``nchw``, of the input and of outputs with channels.
    channels
        ``rgb`` or ``bgr``.
    tensor
        Name of the output, or of an inner tensor of a TFLite file (the logits ahead of a built-in
        argmax tell more than its ids); None is the first output.
    metres
        Metres per unit of a depth output.

    """

    size: tuple[int, int]
    meaning: str
    label_set: str | None = None
    dtype: str = 'float32'
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = 'nhwc'
    channels: str = 'rgb'
    tensor: str | None = None
    metres: float = 1.0

    def __post_init__(self) -> None:
        """
        Check the values.

        Raises
        ------
        HydranetError
            If one is not allowed, or the label set does not go with the meaning.

        """
        for name, allowed in (
            ('meaning', MEANINGS),
            ('layout', LAYOUTS),
            ('dtype', ('uint8', 'float32')),
            ('channels', ('rgb', 'bgr')),
        ):
            if getattr(self, name) not in allowed:
                raise HydranetError(
                    f"A signature's {name} is one of {', '.join(allowed)}, not "
                    f'{getattr(self, name)!r}.'
                )
        if len(self.size) != 2 or min(self.size) < 1:
            raise HydranetError("A signature's size is the height and the width in pixels.")
        if (self.label_set is None) != (self.meaning == 'depth'):
            raise HydranetError('A signature names a label_set unless its meaning is depth.')

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray:
        """Return a tile as the network's input, with a batch axis of one."""
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
        Return an output as logits, shares or metres of shape (h, w, channels).

        Raises
        ------
        HydranetError
            If its shape or ids do not fit the signature.

        """
        if self.meaning in ('ids', 'depth'):
            plane = np.squeeze(output)
            if plane.ndim != 2:
                raise HydranetError(
                    f'The teacher gave {self.meaning} of the shape {output.shape}, not an image.'
                )
            if self.meaning == 'depth':
                return (plane.astype(np.float32) * np.float32(self.metres))[..., None]
            if plane.min() < 0 or plane.max() >= classes:
                raise HydranetError(
                    f'The teacher gave the id {plane.max()} but its label set '
                    f'{self.label_set} has {classes} classes.'
                )
            return np.eye(classes, dtype=np.float32)[plane.astype(np.int64)]
        values = output[0].astype(np.float32)
        if self.layout == 'nchw':
            values = values.transpose(1, 2, 0)
        if values.ndim != 3 or values.shape[2] != classes:
            raise HydranetError(
                f'The teacher gave {self.meaning} of the shape {output.shape} but its label set '
                f'{self.label_set} has {classes} classes.'
            )
        return values


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
