# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""RT-MonoDepth-S as a teacher."""

from __future__ import annotations

from pathlib import Path

import cv2
from distillation_data import (
    blocks,
    DATA,
    needs_data,
    paint,
    write_yaml,
)
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers import load_teacher


def rtmonodepth_file(folder: Path, **changes: object) -> Path:
    """Write the teacher with made-up weights, and return its file."""
    torch = pytest.importorskip('torch')
    from hydranet_ros.training.distillation.teachers.rtmonodepth import Decoder, Encoder

    torch.manual_seed(0)
    torch.save({**Encoder().state_dict(), 'height': 64, 'width': 96}, folder / 'encoder.pth')
    torch.save(Decoder().state_dict(), folder / 'decoder.pth')
    content = {
        'kind': 'rtmonodepth',
        'encoder': str(folder / 'encoder.pth'),
        'decoder': str(folder / 'decoder.pth'),
        'size': [64, 96],
        **changes,
    }
    return write_yaml(folder / 'teacher.yaml', content)


def test_rtmonodepth_gives_metres_at_the_images_size(tmp_path: Path) -> None:
    teacher = load_teacher(rtmonodepth_file(tmp_path))
    rgb = paint(blocks(1, 50, 90))
    depth = teacher.annotate(rgb).depth
    assert depth is not None and depth.shape == (50, 90) and depth.dtype == np.float32
    assert ((depth > 0.54) & (depth < 540)).all()
    mirrored = teacher.annotate(np.ascontiguousarray(rgb[:, ::-1])).depth
    np.testing.assert_allclose(mirrored[:, ::-1], depth, rtol=1e-4)


def test_rtmonodepth_leaves_out_where_its_mirrored_self_disagrees(tmp_path: Path) -> None:
    rgb = paint(blocks(1, 64, 96))
    loose = load_teacher(rtmonodepth_file(tmp_path, agreement=10.0)).annotate(rgb).depth
    strict = load_teacher(rtmonodepth_file(tmp_path, agreement=1e-9)).annotate(rgb).depth
    assert loose is not None and strict is not None
    assert np.isfinite(loose).all()
    assert np.isnan(strict).mean() > 0.5
    known = np.isfinite(strict)
    np.testing.assert_array_equal(strict[known], loose[known])


def test_rtmonodepth_refuses_other_weights(tmp_path: Path) -> None:
    file = rtmonodepth_file(tmp_path, encoder=str(tmp_path / 'decoder.pth'))
    with pytest.raises(HydranetError, match='holds the weights of another network'):
        load_teacher(file)
    (tmp_path / 'encoder.pth').write_bytes(b'nothing of the kind')
    file = write_yaml(
        tmp_path / 'teacher.yaml',
        {
            'kind': 'rtmonodepth',
            'encoder': str(tmp_path / 'encoder.pth'),
            'decoder': str(tmp_path / 'decoder.pth'),
        },
    )
    with pytest.raises(HydranetError, match='damaged or not a weight file of RT-MonoDepth-S'):
        load_teacher(file)
    with pytest.raises(HydranetError, match='multiples of 16'):
        load_teacher(rtmonodepth_file(tmp_path, size=[100, 640]))
    with pytest.raises(HydranetError, match='at least 32'):
        load_teacher(rtmonodepth_file(tmp_path, size=[16, 640]))


@pytest.mark.data
@needs_data
def test_the_published_street_depth_agrees_with_its_other_implementation() -> None:
    if not (DATA / 'camvid' / 'val' / 'depth_distilled').is_dir():
        pytest.skip('needs depth by the other implementation (depth_distilled in HYDRANET_DATA)')
    variables = {'data': str(DATA)}
    errors = []
    for folder, name, scale in (
        ('camvid/val', 'rtmonodepth_s_4x3', 0.6292),
        ('kitti_odometry00', 'rtmonodepth_s', 1.0),
    ):
        teacher = load_teacher(name, variables)
        image = sorted((DATA / folder / 'image').iterdir())[5]
        depth = teacher.annotate(np.ascontiguousarray(cv2.imread(str(image))[..., ::-1])).depth
        file = DATA / folder / 'depth_distilled' / f'{image.stem}.png'
        given = cv2.imread(str(file), cv2.IMREAD_UNCHANGED) / 256.0
        known = (given > 0) & np.isfinite(depth)
        errors.append(np.median(np.abs(scale * depth[known] / given[known] - 1)))
    assert max(errors) < 0.05
