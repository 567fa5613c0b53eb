# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A dataset of coloured blocks, and small teachers for it."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import pytest
import yaml

from hydranet_ros.resources import share_directory
from hydranet_ros.training.distillation.distill import Distillation, load_config

DATA = Path(os.environ.get('HYDRANET_DATA', share_directory().parent / 'shared' / 'data'))
needs_data = pytest.mark.skipif(
    not (DATA / 'teachers').is_dir(), reason='no research images here (HYDRANET_DATA)'
)
COLORS = ((200, 30, 40), (30, 190, 50), (20, 40, 210))


def blocks(seed: int, height: int = 24, width: int = 40) -> NDArray[np.uint8]:
    """Return labels 0-2 in blocks of 8 pixels."""
    coarse = np.random.default_rng(seed).integers(0, 3, (-(-height // 8), -(-width // 8)))
    return np.kron(coarse, np.ones((8, 8), np.int64))[:height, :width].astype(np.uint8)


def paint(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an RGB image of the labels."""
    return np.array(COLORS, np.uint8)[labels]


def write_yaml(path: Path, content: dict) -> Path:
    """Write a YAML file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding='utf-8')
    return path


def label_set_file(folder: Path, name: str, classes: list[str]) -> Path:
    """Write a label set."""
    rows = [{'name': each, 'color': [10 * n, 0, 0]} for n, each in enumerate(classes)]
    return write_yaml(folder / f'{name}.yaml', {'name': name, 'classes': rows})


def write_blocks(root: Path, count: int = 4, annotations: bool = False) -> Path:
    """Write images, with labels and depth on demand, and return their dataset file."""
    content: dict = {
        'name': 'blocks',
        'root': str(root),
        'splits': {'all': {}},
        'intrinsics': {'fx': 100.0},
    }
    for number in range(count):
        labels = blocks(number)
        _write_png(root / 'image' / f'{number:03d}.png', paint(labels)[..., ::-1])
        if annotations:
            _write_png(root / 'segmentation' / f'{number:03d}.png', labels)
            _write_png(root / 'depth' / f'{number:03d}.png', 256 * (1 + labels.astype(np.uint16)))
    if annotations:
        label_set = label_set_file(root, 'rgb', ['red', 'green', 'blue'])
        content['segmentation'] = {'label_set': str(label_set)}
        content['depth'] = {'units_per_metre': 256}
    return write_yaml(root / 'blocks.yaml', content)


def _write_png(path: Path, array: NDArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def write_onnx(
    path: Path, weights: NDArray, bias: NDArray, size: tuple[int, int] = (24, 40)
) -> Path:
    """Write a network of one 1x1 convolution of float RGB, N x 3 x H x W."""
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    outputs = weights.shape[0]
    kernel = weights.astype(np.float32).reshape(outputs, 3, 1, 1)
    graph = helper.make_graph(
        [helper.make_node('Conv', ['image', 'weights', 'bias'], ['output'])],
        'teacher',
        [helper.make_tensor_value_info('image', onnx.TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info('output', onnx.TensorProto.FLOAT, [1, outputs, *size])],
        [
            numpy_helper.from_array(kernel, 'weights'),
            numpy_helper.from_array(bias.astype(np.float32), 'bias'),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def color_teacher(folder: Path, **changes: object) -> Path:
    """Write a teacher that classifies the three colours, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    network = write_onnx(folder / 'colors.onnx', 10 * np.eye(3), np.zeros(3))
    label_set = label_set_file(folder, 'rgb', ['red', 'green', 'blue'])
    signature = {
        'size': [24, 40],
        'meaning': 'logits',
        'label_set': str(label_set),
        'layout': 'nchw',
    }
    content = {
        'kind': 'exported',
        'license': 'made for this test',
        'file': str(network),
        'signature': signature,
        **changes,
    }
    return write_yaml(folder / 'color_teacher.yaml', content)


def depth_teacher(folder: Path) -> Path:
    """Write a teacher whose metres are 1 + 10 · red, and return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    network = write_onnx(folder / 'depth.onnx', np.array([[10.0, 0, 0]]), np.ones(1))
    signature = {'size': [24, 40], 'meaning': 'depth', 'layout': 'nchw'}
    content = {'kind': 'exported', 'file': str(network), 'signature': signature}
    return write_yaml(folder / 'depth_teacher.yaml', content)


def meter_file(folder: Path, **changes: object) -> Path:
    """Write the teacher with made-up weights, and return its file."""
    torch = pytest.importorskip('torch')
    from hydranet_ros.training.distillation.teachers.meter import Meter

    torch.manual_seed(0)
    network = Meter()
    with torch.no_grad():
        network.decoder.conv2d_out.weight.abs_()  # after a ReLU: metres are positive
        network.decoder.conv2d_out.weight.mul_(1e3)
    torch.save(network.state_dict(), folder / 'meter.pth')
    content = {'kind': 'meter', 'weights': str(folder / 'meter.pth'), 'size': [64, 128], **changes}
    return write_yaml(folder / 'meter.yaml', content)


def labels_config(root: Path, dataset: Path, **target: object) -> Path:
    """Write a distillation of the blocks' labels, and return its file."""
    section = {'output': str(root / 'labels'), **target}
    content = {
        'dataset': str(dataset),
        'split': 'all',
        'teacher': str(color_teacher(root / 'teacher')),
        'segmentation': section,
    }
    return write_yaml(root / 'distill.yaml', content)


def depth_config(root: Path, dataset: Path, **target: object) -> Path:
    """Write a distillation of the blocks' depth, and return its file."""
    content = {
        'dataset': str(dataset),
        'split': 'all',
        'teacher': str(depth_teacher(root / 'teacher')),
        'depth': {'output': str(root / 'depth'), **target},
    }
    return write_yaml(root / 'distill.yaml', content)


def start(config: Path, *overrides: str) -> Distillation:
    """Load a distillation file."""
    return Distillation(*load_config(config, overrides))


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }
