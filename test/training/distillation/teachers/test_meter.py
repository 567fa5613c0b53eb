# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""METER as a teacher."""

from __future__ import annotations

from pathlib import Path

from distillation_data import (
    blocks,
    meter_file,
    paint,
    write_yaml,
)
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers import load_teacher


def test_meter_gives_metres_at_the_images_size(tmp_path: Path) -> None:
    teacher = load_teacher(meter_file(tmp_path))
    rgb = paint(blocks(1, 50, 90))
    depth = teacher.annotate(rgb).depth
    assert depth is not None and depth.shape == (50, 90) and depth.dtype == np.float32
    assert (depth >= 0.499).all() and depth.std() > 0
    mirrored = teacher.annotate(np.ascontiguousarray(rgb[:, ::-1])).depth
    np.testing.assert_allclose(mirrored[:, ::-1], depth, rtol=1e-3)


def test_meter_attends_within_the_places_of_a_patch(tmp_path: Path) -> None:
    """A pixel sees those that have its own place in their 2x2 patches, and no others."""
    torch = pytest.importorskip('torch')
    from hydranet_ros.training.distillation.teachers.meter import _MobileViT

    torch.manual_seed(0)
    block = _MobileViT(4, 8, 16).eval()
    # Without its convolutions' neighbourhoods, all that spreads is attention.
    for convolution in (block.conv1[0], block.conv4[0]):
        kernel = convolution.depthwise.weight
        with torch.no_grad():
            kernel[..., [0, 2], :] = 0
            kernel[..., :, [0, 2]] = 0
    image = torch.rand(1, 4, 8, 8)
    other = image.clone()
    other[..., 2, 5] += 1.0
    with torch.no_grad():
        changed = (block(image) != block(other)).any(dim=1)[0].nonzero().tolist()
    assert changed and all(row % 2 == 0 and column % 2 == 1 for row, column in changed)


def test_meter_refuses_other_weights_and_sizes(tmp_path: Path) -> None:
    with pytest.raises(HydranetError, match='multiples of 64'):
        load_teacher(meter_file(tmp_path, size=[100, 640]))
    (tmp_path / 'meter.pth').write_bytes(b'nothing of the kind')
    file = {'kind': 'meter', 'weights': str(tmp_path / 'meter.pth')}
    with pytest.raises(HydranetError, match='damaged or not a weight file of METER'):
        load_teacher(write_yaml(tmp_path / 'meter.yaml', file))
