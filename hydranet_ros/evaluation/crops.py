# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The crops in which depth benchmarks measure."""

from __future__ import annotations

from hydranet_ros.errors import HydranetError

_CROP_SHARES = {
    # name: first row, last row, first column, last column, as shares of the height and the width
    'garg': (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    'eigen': (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}
_NYUD_CROP = (slice(45, 471), slice(41, 601))
CROPS = (*_CROP_SHARES, 'nyud')
"""Names of the crops."""


def crop_window(name: str | None, height: int, width: int) -> tuple[slice, slice]:
    """
    Return the rows and columns of a crop, for images of this height and width.

    ``garg`` and ``eigen`` (KITTI) are defined as shares of the image size, ``nyud`` as rows 45-470
    and columns 41-600 of a 640x480 image. If ``name`` is None, the whole image is used.
    """
    if name is None:
        return slice(0, height), slice(0, width)
    if name == 'nyud':
        if (height, width) != (480, 640):
            raise HydranetError(
                f'The nyud crop is defined for images of 640x480, not {width}x{height}; '
                'evaluate without a crop.'
            )
        return _NYUD_CROP
    if name not in _CROP_SHARES:
        raise HydranetError(f'Unknown crop {name!r}; choose one of {", ".join(CROPS)}.')
    top, bottom, left, right = _CROP_SHARES[name]
    return (
        slice(int(top * height), int(bottom * height)),
        slice(int(left * width), int(right * width)),
    )
