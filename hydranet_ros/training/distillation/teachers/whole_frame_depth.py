# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Base class of teachers that see the whole, resized frame and its mirror image."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import nn

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.torch_files import read_torch_file
from hydranet_ros.training.distillation.teachers.base import Annotation, Teacher

SMALLEST_SIZE = 32
"""Minimum height and width in pixels."""


class WholeFrameDepthTeacher(Teacher):
    """
    A depth network that was trained on whole frames of one size.

    Parameters
    ----------
    sha256
        SHA-256 of the weight file; if there are several files, by part of the network.
    size
        Height and width that the whole image is resized to.
    agreement
        Depth is kept where it differs from the depth of the mirrored image by at most this share;
        None keeps all. In either case, the two depths are averaged as inverse metres.

    """

    gives_depth = True

    def __init__(
        self,
        kind: str,
        sha256: str | dict[str, str],
        size: tuple[int, int],
        agreement: float | None,
    ) -> None:
        self.size = size
        self.agreement = agreement
        self.identity = {
            'kind': kind,
            'sha256': sha256,
            'size': list(size),
            'agreement': agreement,
        }

    @abstractmethod
    def inverse_metres(self, images: torch.Tensor) -> torch.Tensor:
        """Return 1 / metres (N, h, w) for images (N, 3, H, W) of values 0 to 1."""

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Annotate one image (see ``Teacher.annotate``); ``fx`` is not used."""
        height, width = self.size
        squashed = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        image = torch.from_numpy(squashed.astype(np.float32) / 255).permute(2, 0, 1)
        with torch.inference_mode():
            both = self.inverse_metres(torch.stack([image, image.flip(-1)]))
        direct, mirrored = both[0].numpy(), both[1].flip(-1).numpy()
        mean = (direct + mirrored) / 2
        depth = 1 / cv2.resize(mean, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        if self.agreement is not None:
            ratio = direct / mirrored
            disagree = np.maximum(ratio, 1 / ratio) > 1 + self.agreement
            enlarged = cv2.resize(
                disagree.astype(np.uint8), rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST
            )
            depth[enlarged > 0] = np.nan
        return Annotation(depth=depth.astype(np.float32))


def require_size(size: tuple[int, int], multiple: int, network: str) -> None:
    """Raise HydranetError if a network does not accept frames of this height and width."""
    if min(size) < SMALLEST_SIZE or any(length % multiple for length in size):
        raise HydranetError(
            f'Height and width for {network} must be multiples of {multiple}, at least '
            f'{SMALLEST_SIZE}.'
        )


def load_weights(module: nn.Module, path: Path, network: str) -> None:
    """Load a published weight file into a network; raises HydranetError if they do not match."""
    content = read_torch_file(path, f'weight file of {network}')
    tensors = {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise HydranetError(f'{path} holds the weights of another network.') from error
