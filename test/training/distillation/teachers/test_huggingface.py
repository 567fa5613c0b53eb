# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Models of the Hugging Face hub as teachers."""

from __future__ import annotations

from pathlib import Path
import sys

from distillation_data import blocks, paint, write_yaml
import numpy as np
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.training.distillation.teachers import load_teacher


def test_a_missing_transformers_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'transformers', None)
    content = {
        'kind': 'huggingface',
        'model': 'nobody/segformer',
        'size': [64, 64],
        'label_set': 'cityscapes19',
    }
    with pytest.raises(
        HydranetError, match=r'needs the package transformers; .*hydranet_ros\[distillation\]'
    ):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))


def test_a_segformer_teaches_its_own_classes(tmp_path: Path) -> None:
    transformers = pytest.importorskip('transformers')
    names = [name.replace('_', ' ') for name in load_label_set('kitti6').classes]
    config = transformers.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / 'model')
    content = {
        'kind': 'huggingface',
        'model': str(tmp_path / 'model'),
        'size': [64, 96],
        'label_set': 'kitti6',
    }
    teacher = load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))
    scores = teacher.annotate(paint(blocks(0, 48, 70))).scores
    assert scores is not None and scores.shape == (48, 70, 6)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)
    again = load_teacher(tmp_path / 'teacher.yaml')
    assert again.identity == teacher.identity
    with pytest.raises(HydranetError, match=r'has 6 classes but cityscapes19 has 19'):
        load_teacher(
            write_yaml(tmp_path / 'teacher.yaml', {**content, 'label_set': 'cityscapes19'})
        )


@pytest.mark.parametrize('kind', ['metric', 'relative'])
def test_a_depth_anything_teaches_metric_depth_only(tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip('transformers')
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        out_features=['stage1', 'stage2', 'stage3', 'stage4'],
        reshape_hidden_states=False,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=4,
        depth_estimation_type=kind,
        max_depth=20 if kind == 'metric' else None,
    )
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(tmp_path / 'model')
    content = {'kind': 'huggingface', 'model': str(tmp_path / 'model'), 'size': [56, 84]}
    file = write_yaml(tmp_path / 'teacher.yaml', content)
    if kind == 'relative':
        with pytest.raises(HydranetError, match='gives relative depth'):
            load_teacher(file)
        return
    depth = load_teacher(file).annotate(paint(blocks(0, 48, 70))).depth
    assert depth is not None and depth.shape == (48, 70)
    assert ((depth > 0) & (depth < 20)).all()


def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    pytest.importorskip('transformers')
    content = {'kind': 'huggingface', 'model': str(tmp_path), 'size': [64, 64]}
    with pytest.raises(HydranetError, match='cannot be loaded'):
        load_teacher(write_yaml(tmp_path / 'teacher.yaml', content))
