# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Reading of single files: what is stored is what is read."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray
import pytest

from hydranet_ros.data.image_files import (
    DepthFormat,
    read_depth,
    read_pose,
    read_rgb,
    read_segmentation,
    SegmentationFormat,
)
from hydranet_ros.errors import HydranetError


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_labels_in_few_bits_are_read_as_stored(tmp_path: Path, bits: int) -> None:
    """Programs that save space write grey values and palette indices in fewer than 8 bits."""
    ids = np.arange(60, dtype=np.uint8).reshape(6, 10) % min(2**bits, 11)
    for name, palette in (('grey', False), ('palette', True)):
        path = tmp_path / f'{name}.png'
        path.write_bytes(png(ids, bits, palette=palette))
        read = read_segmentation(path, SegmentationFormat('camvid11'))
        np.testing.assert_array_equal(read, ids, name)


def png(values: NDArray[np.uint8], bits: int, *, palette: bool) -> bytes:
    """Encode values as a PNG of so many bits per pixel, with reversed grey as palette."""
    height, width = values.shape
    spread = np.unpackbits(values[..., None], axis=2)[..., -bits:].reshape(height, -1)
    rows = np.packbits(spread, axis=1)
    lines = b''.join(b'\0' + row.tobytes() for row in rows)

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return len(content).to_bytes(4, 'big') + body + zlib.crc32(body).to_bytes(4, 'big')

    size = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    colors = bytes(255 - index for index in range(2**bits) for _ in range(3))
    chunks = [
        chunk(b'IHDR', size + bytes([bits, 3 if palette else 0, 0, 0, 0])),
        chunk(b'PLTE', colors) if palette else b'',
        chunk(b'tRNS', bytes([0])) if palette else b'',
        chunk(b'IDAT', zlib.compress(lines)),
        chunk(b'IEND', b''),
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


def test_depth_in_openexr(tmp_path: Path) -> None:
    depth = np.linspace(1, 9, 48, dtype=np.float32).reshape(6, 8)
    program = (
        'import cv2, numpy as np, sys; cv2.imwrite(sys.argv[1], '
        'np.linspace(1, 9, 48, dtype=np.float32).reshape(6, 8))'
    )
    path = tmp_path / 'depth.exr'
    environment = {**os.environ, 'OPENCV_IO_ENABLE_OPENEXR': '1'}
    subprocess.run([sys.executable, '-c', program, str(path)], check=True, env=environment)
    read = read_depth(path, DepthFormat(1.0))
    np.testing.assert_allclose(read, depth, rtol=1e-3)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(HydranetError, match=r'depth\.exr'):
        read_depth(path, DepthFormat(1.0))


def test_an_image_of_floats_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'float.tiff'
    assert cv2.imwrite(str(path), np.ones((4, 4), np.float32))
    with pytest.raises(HydranetError, match='float32 values'):
        read_rgb(path)


def test_a_pose_of_lost_tracking_is_none(tmp_path: Path) -> None:
    path = tmp_path / 'pose.txt'
    np.savetxt(path, np.eye(4))
    np.testing.assert_array_equal(read_pose(path), np.eye(4))
    np.savetxt(path, np.full((4, 4), -np.inf))
    assert read_pose(path) is None
