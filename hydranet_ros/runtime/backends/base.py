# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of every backend."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """One model, loaded and ready to run on one device."""

    name: str  # of the runtime, e.g. torch
    device: str  # e.g. cpu or cuda:0
    precision: str  # float32, float16, bfloat16 or int8
    fields: tuple[str, ...]  # names of the arrays that run() returns

    def run(
        self, image: NDArray[np.uint8], length_scale: float
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """
        Run the deployed graph on one image.

        Parameters
        ----------
        image
            H x W x 3, uint8, RGB, C-contiguous; the backend does not read it after the call.
        length_scale
            Factor for lengths: fx / canonical focal length.

        Returns
        -------
        outputs
            Arrays of H x W or H x W x C by field name; the caller owns them.
        timing
            Seconds by stage: ``upload``, ``forward``, ``download``.

        """
        ...

    def close(self) -> None:
        """Free the device's memory; the backend must not be used afterwards."""
        ...
