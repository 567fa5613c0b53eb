# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""PLY files of coloured, labelled points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import naming_write_faults

_PLY_VERTEX = np.dtype(
    [
        *((name, '<f4') for name in 'xyz'),
        *((name, 'u1') for name in ('red', 'green', 'blue', 'label')),
    ]
)
_PLY_TYPES = {'<f4': 'float', '|u1': 'uchar'}


def write_ply(
    path: Path,
    points: NDArray[np.float32],
    colors: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    class_names: Sequence[str] = (),
) -> None:
    """
    Write points as a binary PLY file, and make its folder.

    Points are n×3 metres, colours n×3 uint8 RGB, and labels n class ids, which become the property
    ``label``. Class names become comments ``label ID NAME``. Raises HydranetError if the file
    cannot be written.
    """
    vertices = np.empty(len(points), _PLY_VERTEX)
    for name, column in zip(_PLY_VERTEX.names or (), (*points.T, *colors.T, labels), strict=True):
        vertices[name] = column
    header = ['ply', 'format binary_little_endian 1.0']
    header += [f'comment label {index} {name}' for index, name in enumerate(class_names)]
    header += [f'element vertex {len(vertices)}']
    header += [f'property {_PLY_TYPES[field[1]]} {field[0]}' for field in _PLY_VERTEX.descr]
    header += ['end_header', '']
    with naming_write_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes('\n'.join(header).encode() + vertices.tobytes())
