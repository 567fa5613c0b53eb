# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The deployed graph: a uint8 RGB image in, labels and metres out.

Everything between the camera's pixels and the published values is one torch module, so a runtime
can optimise all of it and nothing is left to NumPy. The graph computes the same function as the
trained network, but is rewritten for speed (:mod:`hydranet_ros.model.rewrites`) and omits the
logits of unused label sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn, Tensor

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.model.rewrites import enlarge_by_matrices, keep_channels, RewrittenNetwork
from hydranet_ros.model.tasks import available_fields, default_fields, PostProcessing, TASKS

PIXEL_MAXIMUM = 255.0


class DeployedGraph(nn.Module):
    """
    Network, pre- and post-processing in one module.

    Parameters
    ----------
    label_set
        Label set to predict; the bundle's first if None.
    fields
        Fields of the prediction to compute; if None, the first field of each task.
    slices
        As for :class:`hydranet_ros.model.rewrites.RewrittenNetwork`.

    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        bundle: Bundle,
        label_set: str | None = None,
        fields: Sequence[str] | None = None,
        slices: int = 4,
    ) -> None:
        super().__init__()
        self.metadata = metadata = bundle.metadata
        known = {field.name: field for field in available_fields(metadata.tasks)}
        wanted = default_fields(metadata.tasks) if fields is None else tuple(fields)
        for name in wanted:
            if name not in known:
                raise HydranetError(
                    f'Model {metadata.name!r} cannot predict {name!r}; it has: {", ".join(known)}.'
                )
        self.fields = tuple(name for name in known if name in wanted)
        self.interpolation = metadata.interpolation
        self.upsampling = metadata.upsampling
        self.label_slice = metadata.label_slice(label_set)
        network = bundle.network()
        if self.label_slice is not None:
            keep_channels(network, self.label_slice.start, self.label_slice.stop)
        self.network = RewrittenNetwork(network, slices)

        self._options = PostProcessing(metadata.depth_range)
        self._scaled = frozenset(name for name in self.fields if known[name].scaled_by_focal)
        self.register_buffer('mean', PIXEL_MAXIMUM * torch.tensor(metadata.mean).view(1, 3, 1, 1))
        deviation = PIXEL_MAXIMUM * torch.tensor(metadata.std).view(1, 3, 1, 1)
        self.register_buffer('scale', 1.0 / deviation)

    def exported(
        self, path: Path, file_format: str, size: tuple[int, int] | None = None
    ) -> ExportedModel:
        """Describe this graph as exported to a file, for one (height, width) or for any size."""
        return ExportedModel(
            self.metadata,
            file_format,
            self.fields,
            self.label_slice.labels.name if self.label_slice else None,
            size,
            'float32',
            path,
        )

    def forward(self, image: Tensor, length_scale: Tensor) -> tuple[Tensor, ...]:
        """
        Predict one image.

        Parameters
        ----------
        image
            H x W x 3, uint8, RGB; at least 32 x 32.
        length_scale
            Scalar, float32: fx / canonical focal length; 1 if the model has no canonical one.

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
            # Upsample the raw outputs: interpolated class ids would be wrong at borders.
            full = enlarge_by_matrices(
                low, image.shape[0], image.shape[1], self.upsampling, self.interpolation
            )
            outputs.update(TASKS[name].post_process(full, self._options, wanted))
        return tuple(
            outputs[name][0] * length_scale if name in self._scaled else outputs[name][0]
            for name in self.fields
        )
