# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of an image in which depth benchmarks measure."""

from __future__ import annotations

from hydranet_ros.errors import HydranetError

_CROP_SHARES = {
    # name: first row, last row, first column, last column, as shares of the height and the width
    'garg': (0.40810811, 0.99189189, 0.03594771, 0.96405229),
    'eigen': (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}
_NYUD_CROP = (slice(45, 471), slice(41, 601))
CROPS = (*_CROP_SHARES, 'nyud')
"""Names of the crops that depth benchmarks evaluate in."""


def crop_window(name: str | None, height: int, width: int) -> tuple[slice, slice]:
    """
    Return the rows and columns that a depth benchmark evaluates.

    Parameters
    ----------
    name
        ``'garg'`` or ``'eigen'`` (KITTI, shares of the image size), ``'nyud'`` (rows 45-470,
        columns 41-600 of a 640x480 frame), or None for the whole image.
    height, width
        Size of the ground truth in pixels.

    Raises
    ------
    HydranetError
        If the name is unknown, or the NYUD crop is asked for on another size than 640x480.

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
