# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The *working width*: the width in pixels to which images are resized for the network."""

from __future__ import annotations

from hydranet_ros.errors import HydranetError

MODEL_CHOICE, NATIVE = 0, -1
"""Special working widths; other values are pixels."""
MINIMUM_SIZE = 32
"""Smallest height and width of an image in pixels: one cell of the network's coarsest level."""


def parse_working_width(text: str) -> int:
    """Parse ``native``, 0 for the model's choice, or a width in pixels."""
    if text == 'native':
        return NATIVE
    if not text.isdecimal() or 0 < int(text) < MINIMUM_SIZE:
        raise HydranetError(
            f'The working width {text!r} is invalid: give native, 0 (the model chooses) or at '
            f'least {MINIMUM_SIZE} pixels.'
        )
    return int(text)
