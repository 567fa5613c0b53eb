# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The declared inputs and outputs of a teacher's network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distillation_data import write_onnx, write_yaml
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers import load_teacher
from hydranet_ros.training.distillation.teachers.signature import Signature


def test_the_declared_normalisation_layout_and_channels_are_used() -> None:
    signature = Signature(
        size=(2, 2),
        meaning='logits',
        label_set='kitti6',
        mean=(0.5, 0.25, 0.0),
        std=(0.5, 1.0, 2.0),
        layout='nchw',
        channels='bgr',
    )
    rgb = np.full((2, 2, 3), (255, 127.5, 0), np.uint8)
    batch = signature.prepare(rgb)
    assert batch.shape == (1, 3, 2, 2) and batch.dtype == np.float32
    np.testing.assert_allclose(batch[0, :, 0, 0], [-1.0, 127 / 255 - 0.25, 0.5], atol=1e-6)
    plain = Signature((2, 2), 'ids', 'kitti6', dtype='uint8').prepare(rgb)
    assert plain.dtype == np.uint8 and plain[0, 0, 0].tolist() == [255, 127, 0]


def test_outputs_are_read_as_declared() -> None:
    ids = Signature((2, 3), 'ids', 'kitti6').interpret(np.array([[[0, 1, 2], [3, 4, 5]]]), 6)
    np.testing.assert_array_equal(ids.argmax(axis=-1), [[0, 1, 2], [3, 4, 5]])
    shares = np.random.default_rng(0).random((1, 6, 2, 3)).astype(np.float32)
    signature = Signature((2, 3), 'probabilities', 'kitti6', layout='nchw')
    np.testing.assert_array_equal(signature.interpret(shares, 6), shares[0].transpose(1, 2, 0))
    depth = Signature((2, 3), 'depth', metres=0.001).interpret(np.full((1, 2, 3, 1), 1500), 0)
    assert depth.shape == (2, 3, 1) and np.allclose(depth, 1.5)


@pytest.mark.parametrize(
    ('signature', 'output', 'message'),
    [
        (Signature((2, 2), 'ids', 'kitti6'), np.full((1, 2, 2), 6), 'gave the id 6'),
        (Signature((2, 2), 'ids', 'kitti6'), np.full((1, 2, 2), -1), 'gave the id -1'),
        (Signature((2, 2), 'logits', 'kitti6'), np.zeros((1, 2, 2, 5)), 'has 6 classes'),
        (Signature((2, 2), 'depth'), np.zeros((1, 2, 2, 2)), 'not an image'),
    ],
)
def test_outputs_that_break_the_signature_are_refused(
    signature: Signature, output: np.ndarray, message: str
) -> None:
    with pytest.raises(HydranetError, match=message):
        signature.interpret(output, 6)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'meaning': 'labels'}, "`meaning` must be one of .* not 'labels'"),
        ({'dtype': 'float64'}, "`dtype` must be one of .* not 'float64'"),
        ({'size': [0, 4]}, '`size` must be the height and the width'),
        ({'label_set': None}, 'needs a `label_set` if, and only if, its `meaning` is not depth'),
        ({'sizes': 3}, "has no key 'sizes'"),
    ],
)
def test_wrong_signatures_are_told_in_a_sentence(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    network = write_onnx(tmp_path / 'colors.onnx', np.eye(3), np.zeros(3))
    signature = {'size': [24, 40], 'meaning': 'logits', 'label_set': 'kitti6', **change}
    content = {'kind': 'exported', 'file': str(network), 'signature': signature}
    with pytest.raises(HydranetError, match=message):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))
