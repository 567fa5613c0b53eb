# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Network files of teachers, and their runtimes."""

from __future__ import annotations

from pathlib import Path
import sys

from distillation_data import blocks, color_teacher, paint
import pytest

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers import load_teacher


def test_files_that_are_no_networks_are_named(tmp_path: Path) -> None:
    for name, message in (
        ('broken.onnx', 'broken.onnx is not an ONNX file'),
        ('broken.tflite', 'broken.tflite is not a TFLite file'),
        ('model.pt', 'model.pt is not a .tflite or .onnx file'),
    ):
        if name.endswith('onnx'):
            pytest.importorskip('onnxruntime')
        if name.endswith('tflite'):
            pytest.importorskip('ai_edge_litert')
        (tmp_path / name).write_bytes(b'nothing of the kind')
        file = color_teacher(tmp_path, file=str(tmp_path / name))
        with pytest.raises(HydranetError, match=message):
            load_teacher(file)
    with pytest.raises(HydranetError, match=r'Cannot read .*absent\.onnx'):
        load_teacher(color_teacher(tmp_path, file=str(tmp_path / 'absent.onnx')))


def test_an_input_that_the_network_does_not_take_is_told(tmp_path: Path) -> None:
    file = color_teacher(tmp_path)
    text = file.read_text().replace('nchw', 'nhwc')
    file.write_text(text)
    teacher = load_teacher(file)
    with pytest.raises(HydranetError, match='does not accept the input that'):
        teacher.annotate(paint(blocks(0)))


@pytest.mark.parametrize(
    ('package', 'suffix', 'name'),
    [('onnxruntime', '.onnx', 'ONNX Runtime'), ('ai_edge_litert', '.tflite', 'LiteRT')],
)
def test_a_missing_runtime_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, suffix: str, name: str
) -> None:
    (tmp_path / f'model{suffix}').write_bytes(b'')
    file = color_teacher(tmp_path, file=str(tmp_path / f'model{suffix}'))
    for module in [package, *(key for key in sys.modules if key.startswith(f'{package}.'))]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f'{package}.interpreter', None)
    with pytest.raises(HydranetError, match=rf'needs {name}; .*hydranet_ros\[distillation\]'):
        load_teacher(file)
