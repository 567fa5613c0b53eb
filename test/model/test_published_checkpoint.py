# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Published checkpoints become bundles, and nothing in a file is executed."""

import io
import os
from pathlib import Path
import pickle
from typing import Any, ClassVar

import cv2
import numpy as np
from published import published_bundle, published_weights, VARIANTS
import pytest
import torch

from hydranet_ros.cli.main import main
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import load_bundle, save_bundle
from hydranet_ros.model.labels import load_label_set


def _tensors(tasks):
    return {key: torch.from_numpy(value) for key, value in published_weights(tasks).items()}


@pytest.mark.parametrize(
    ('variant', 'key'),
    # The second key is that of the authors' training script.
    [*((variant, 'state_dict') for variant in VARIANTS), ('kitti6', 'segmenter')],
)
def test_convert_and_info_of_every_published_variant(tmp_path, capsys, variant, key):
    label_sets, tasks = VARIANTS[variant]
    checkpoint, model = tmp_path / 'published.ckpt', tmp_path / 'model.safetensors'
    torch.save({key: _tensors(tasks), 'epoch_start': 0}, checkpoint)
    assert main(['convert', str(checkpoint), '--labels', *label_sets, '-o', str(model)]) == 0
    bundle = load_bundle(model)
    assert bundle.metadata.tasks == dict(tasks)
    expected = published_weights(tasks)
    assert all(np.array_equal(bundle.weights[key], value) for key, value in expected.items())
    capsys.readouterr()
    assert main(['info', str(model), '--size', '640x480']) == 0
    report = capsys.readouterr().out
    for text in (
        *label_sets,
        'mobilenetv2',
        'multiply-accumulates at 640x480',
        'published.ckpt',
        'sha256',
    ):
        assert text in report


def test_legend_of_a_model(tmp_path, capsys):
    model, picture = tmp_path / 'model.safetensors', tmp_path / 'legend.png'
    save_bundle(model, published_bundle('nyud40_kitti6'))
    for label_set in ('nyud40', 'kitti6'):
        arguments = ['info', str(model), '--legend', str(picture), '--label-set', label_set]
        assert main(arguments) == 0
        drawn = cv2.imread(str(picture))[..., ::-1]
        for color in load_label_set(label_set).colors:
            assert (drawn == color).all(axis=2).any()
    assert main(['info', str(model), '--legend', str(tmp_path / 'legend.jpg')]) == 1
    assert 'must end in .png' in capsys.readouterr().err


class _Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 did, as byte strings (opcode SHORT_BINSTRING)."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_str(self, text):
        encoded = text.encode('ascii')
        self.write(pickle.SHORT_BINSTRING + bytes([len(encoded)]) + encoded)
        self.memoize(text)

    dispatch[str] = save_str


class _Python2Pickle:
    """The pickle module for torch.save, with the pickler above."""

    Pickler = _Python2Pickler

    @staticmethod
    def dump(value, file, protocol):
        _Python2Pickler(file, protocol).dump(value)


def test_checkpoint_from_python_2(tmp_path):
    tasks = {'segmentation': 6, 'depth': 1}
    path = tmp_path / 'old.ckpt'
    torch.save(
        {'state_dict': {f'module.{key}': value for key, value in _tensors(tasks).items()}},
        path,
        pickle_module=_Python2Pickle,
        pickle_protocol=2,
        _use_new_zipfile_serialization=False,
    )
    assert pickle.SHORT_BINSTRING + b'\x0astate_dict' in path.read_bytes()
    model = tmp_path / 'model.safetensors'
    assert main(['convert', str(path), '--labels', 'kitti6', '-o', str(model)]) == 0
    assert load_bundle(model).weights.keys() == published_weights(tasks).keys()


class _Malicious:
    def __reduce__(self):
        return os.mkdir, ('executed',)


def test_code_in_a_checkpoint_is_not_executed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path('evil.ckpt').write_bytes(pickle.dumps({'state_dict': _Malicious()}, protocol=2))
    assert main(['convert', 'evil.ckpt', '-o', 'm.safetensors']) == 1
    assert 'evil.ckpt' in capsys.readouterr().err
    assert not (tmp_path / 'executed').exists()


def _saved(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ('content', 'what'),
    [
        (b'', 'is damaged or not a torch checkpoint'),
        (b'root:x:0:0', 'is damaged or not a torch checkpoint'),
        (
            _saved({'state_dict': {'a': torch.zeros(3)}})[:-40],
            'is damaged or not a torch checkpoint',
        ),
        (_saved([1, 2]), 'no state dict'),
        (_saved({'epoch': 3}), 'no state dict'),
        (_saved({'fc.weight': torch.zeros(2, 2)}), 'another network'),
        (_saved({'depth.weight': torch.zeros(1, 256, 3, 3)}), 'does not fit'),
    ],
)
def test_other_files_get_one_sentence(tmp_path, capsys, content, what):
    path = tmp_path / 'file.ckpt'
    path.write_bytes(content)
    assert main(['convert', str(path), '-o', str(tmp_path / 'm.safetensors')]) == 1
    error = capsys.readouterr().err
    assert what in error
    assert 'Traceback' not in error
    assert error.count('\n') == 1


def test_missing_file_and_wrong_labels(tmp_path, capsys):
    path = tmp_path / 'file.ckpt'
    output = str(tmp_path / 'm.safetensors')
    assert main(['convert', str(path), '-o', output]) == 1
    assert 'No such file' in capsys.readouterr().err
    torch.save(_tensors({'segmentation': 6}), path)
    assert main(['convert', str(path), '--labels', 'nyud40', '-o', output]) == 1
    assert '6 classes' in capsys.readouterr().err


def test_errors_are_for_people():
    assert issubclass(HydranetError, Exception)
    with pytest.raises(SystemExit) as stopped:
        main(['convert'])
    assert stopped.value.code == 2
