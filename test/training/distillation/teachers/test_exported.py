# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers that are TFLite or ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
from distillation_data import (
    blocks,
    color_teacher,
    DATA,
    needs_data,
    paint,
    write_onnx,
)
import numpy as np
import pytest

from hydranet_ros.training.distillation.mappings import load_mapping
from hydranet_ros.training.distillation.teachers import load_teacher
from hydranet_ros.training.distillation.teachers.tiled_views import Views


def test_an_onnx_teacher_gives_scores_at_the_images_size(tmp_path: Path) -> None:
    teacher = load_teacher(color_teacher(tmp_path))
    labels = blocks(0, 48, 80)
    scores = teacher.annotate(paint(labels)).scores
    assert scores is not None and scores.shape == (48, 80, 3)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)
    assert (scores.argmax(axis=-1) == labels).mean() > 0.9


def test_equal_identities_mean_equal_teachers(tmp_path: Path) -> None:
    first = load_teacher(color_teacher(tmp_path)).identity
    assert load_teacher(color_teacher(tmp_path)).identity == first
    assert load_teacher(color_teacher(tmp_path), views=Views(flip=True)).identity != first
    write_onnx(tmp_path / 'other.onnx', 9 * np.eye(3), np.zeros(3))
    other = color_teacher(tmp_path, file=str(tmp_path / 'other.onnx'))
    assert load_teacher(other).identity['sha256'] != first['sha256']


@pytest.mark.data
@needs_data
@pytest.mark.parametrize('name', ['cityscapes_deeplab', 'ade20k_deeplab'])
def test_the_logits_of_the_published_networks_are_what_their_argmax_takes(name: str) -> None:
    pytest.importorskip('ai_edge_litert')
    from ai_edge_litert.interpreter import Interpreter

    teacher: Any = load_teacher(name, {'data': str(DATA)}, Views())
    image = sorted((DATA / 'camvid' / 'val' / 'image').iterdir())[3]
    rgb = np.ascontiguousarray(cv2.imread(str(image))[..., ::-1])
    batch = teacher.signature.prepare(rgb)
    logits = teacher._session.run(batch)
    file = next((DATA / 'teachers').glob(f'*{teacher.identity["file"]}'))
    interpreter = Interpreter(str(file))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]['index'], batch)
    interpreter.invoke()
    ids = interpreter.get_tensor(interpreter.get_output_details()[0]['index'])
    assert (logits.argmax(axis=-1) == ids).mean() > 0.999


@pytest.mark.data
@needs_data
def test_the_street_teacher_knows_roads_and_skies() -> None:
    pytest.importorskip('ai_edge_litert')
    teacher = load_teacher('cityscapes_deeplab', {'data': str(DATA)})
    mapping = load_mapping('cityscapes19_to_camvid11')
    image = sorted((DATA / 'camvid' / 'val' / 'image').iterdir())[10]
    rgb = np.ascontiguousarray(cv2.imread(str(image))[..., ::-1])
    truth = cv2.imread(
        str(image.parents[1] / 'segmentation' / f'{image.stem}.png'), cv2.IMREAD_UNCHANGED
    )
    labels, _ = mapping.translate(teacher.annotate(rgb).scores)
    for name in ('road', 'building', 'tree'):
        index = mapping.target.classes.index(name)
        union = ((labels == index) | (truth == index)) & (truth != 11)
        assert ((labels == index) & (truth == index)).sum() > 0.6 * union.sum(), name
