# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The deployed graph: a uint8 RGB image in, labels and metres out.

Everything between the camera's pixels and the published values is one torch module, so that a
runtime can fuse it and nothing is left to numpy around it. It differs from the network that is
trained by exact rewrites only: batch norm is folded into the convolutions before it, and the
head of a label set that is not used is never computed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn, Tensor
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hydranet_ros.bundle import Bundle
from hydranet_ros.errors import HydranetError
from hydranet_ros.network import HEAD_PREFIX, HydraNet
from hydranet_ros.tasks import available_fields, default_fields, PostProcessing, TASKS

PIXEL_MAXIMUM = 255.0


class DeployedGraph(nn.Module):
    """
    Network, pre- and post-processing in one module.

    Parameters
    ----------
    bundle
        The model.
    label_set
        Name of the label set whose classes are predicted; the bundle's first if None.
    fields
        Names of the prediction's fields to compute; the first of each task if None.

    Raises
    ------
    HydranetError
        If the bundle has no such label set or field.

    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, bundle: Bundle, label_set: str | None = None, fields: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        metadata = bundle.metadata
        known = {field.name: field for field in available_fields(metadata.tasks)}
        wanted = default_fields(metadata.tasks) if fields is None else tuple(fields)
        for name in wanted:
            if name not in known:
                raise HydranetError(
                    f'Model {metadata.name!r} cannot give {name!r}; it has: {", ".join(known)}.'
                )
        self.fields = tuple(name for name in known if name in wanted)
        self.interpolation = metadata.interpolation
        self.label_slice = metadata.label_slice(label_set)
        self.network = bundle.network()
        if self.label_slice is not None:
            _keep_channels(self.network, self.label_slice.start, self.label_slice.stop)
        fold_batch_norm(self.network)

        self._options = PostProcessing(metadata.depth_range)
        self._scaled = frozenset(name for name in self.fields if known[name].scaled_by_focal)
        self.register_buffer('mean', PIXEL_MAXIMUM * torch.tensor(metadata.mean).view(1, 3, 1, 1))
        deviation = PIXEL_MAXIMUM * torch.tensor(metadata.std).view(1, 3, 1, 1)
        self.register_buffer('scale', 1.0 / deviation)

    def forward(self, image: Tensor, length_scale: Tensor) -> tuple[Tensor, ...]:
        """
        Predict one image.

        Parameters
        ----------
        image
            H x W x 3, uint8, RGB; H and W from 32 up.
        length_scale
            Scalar, float32: fx / canonical focal length, 1 for a model without one.

        Returns
        -------
        tuple
            One tensor for each of ``fields``, H x W or H x W x C.

        """
        x = image.permute(2, 0, 1).unsqueeze(0).to(self.mean.dtype)
        raw = self.network((x - self.mean) * self.scale)
        wanted = frozenset(self.fields)
        outputs: dict[str, Tensor] = {}
        for name, low in raw.items():
            # The raw outputs are enlarged, never the class ids: no class is invented at a border.
            full = functional.interpolate(
                low, size=image.shape[:2], mode=self.interpolation, align_corners=False
            )
            outputs.update(TASKS[name].post_process(full, self._options, wanted))
        return tuple(
            outputs[name][0] * length_scale if name in self._scaled else outputs[name][0]
            for name in self.fields
        )


def fold_batch_norm(module: nn.Module) -> None:
    """Merge every batch norm that follows a convolution into it, in place; evaluation only."""
    for child in module.children():
        fold_batch_norm(child)
    if not isinstance(module, nn.Sequential):
        return
    for index in range(len(module) - 1):
        convolution, norm = module[index], module[index + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            module[index] = fuse_conv_bn_eval(convolution, norm)
            module[index + 1] = nn.Identity()


def _keep_channels(network: HydraNet, start: int, stop: int) -> None:
    """Drop the segmentation logits outside a slice, so that they cost nothing."""
    head = network.get_submodule(HEAD_PREFIX['segmentation'])
    assert isinstance(head, nn.Conv2d)
    kept = nn.Conv2d(head.in_channels, stop - start, 3, padding=1)
    with torch.no_grad():
        kept.weight.copy_(head.weight[start:stop])
        assert head.bias is not None and kept.bias is not None
        kept.bias.copy_(head.bias[start:stop])
    setattr(network, HEAD_PREFIX['segmentation'], kept)
