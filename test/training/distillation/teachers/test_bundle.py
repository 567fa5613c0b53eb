# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Our own models as teachers."""

from __future__ import annotations

from pathlib import Path

from distillation_data import blocks, paint, write_yaml
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.training.distillation.teachers import load_teacher


def test_our_own_model_teaches_what_it_predicts(tmp_path: Path) -> None:
    torch = pytest.importorskip('torch')
    from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice, save_bundle
    from hydranet_ros.model.network import HydraNet
    from hydranet_ros.runtime.predictor import Predictor

    torch.manual_seed(0)
    tasks = {'segmentation': 6, 'depth': 1}
    metadata = BundleMetadata(
        'own', tasks, (LabelSlice(load_label_set('kitti6')),), canonical_focal=100.0
    )
    path = tmp_path / 'own.safetensors'
    save_bundle(path, Bundle.from_network(metadata, HydraNet(tasks)))
    content = {'kind': 'bundle', 'model': str(path), 'device': 'cpu'}
    teacher = load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))
    rgb = paint(blocks(3, 48, 64))
    annotation = teacher.annotate(rgb, fx=50.0)
    predictor = Predictor(
        path, device='cpu', precision='float32', fields=('labels', 'confidence', 'depth')
    )
    expected = predictor.predict(rgb, 50.0)
    assert teacher.labels == load_label_set('kitti6')
    assert annotation.scores is not None and annotation.depth is not None
    np.testing.assert_array_equal(annotation.scores.argmax(axis=-1), expected.labels)
    np.testing.assert_allclose(
        annotation.scores.max(axis=-1) * 255, expected.confidence, rtol=1e-5
    )
    np.testing.assert_allclose(annotation.depth, expected.depth, rtol=1e-5)
    only_depth = load_teacher(
        write_yaml(tmp_path / 'teacher.yaml', {**content, 'tasks': ['depth']})
    )
    assert only_depth.labels is None and only_depth.annotate(rgb).scores is None
    with pytest.raises(HydranetError, match='own cannot teach normals'):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', {**content, 'tasks': ['normals']}))
