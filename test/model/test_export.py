# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""An exported file runs without torch and predicts the same as the model."""

from __future__ import annotations

from importlib.util import find_spec
import re
import subprocess
import sys

import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.cli.main import main
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.model.exported_model import ExportedModel, FORMAT_OF_SUFFIX, read_model
from hydranet_ros.runtime.parity import compare, Parity, synthetic_picture
from hydranet_ros.runtime.predictor import Predictor

SUFFIX_OF_FORMAT = {name: suffix for suffix, name in FORMAT_OF_SUFFIX.items()}
NEEDED = {'onnx': ('onnx', 'onnxruntime'), 'openvino': ('openvino',)}


def _needs(file_format):
    missing = [name for name in NEEDED.get(file_format, ()) if find_spec(name) is None]
    if missing:
        pytest.skip(f'{", ".join(missing)} is not installed')


@pytest.fixture(scope='module', autouse=True)
def own_cache(tmp_path_factory):
    """Use an empty cache instead of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(
    scope='module', params=[('double', 'efficientnet_lite0'), ('fit', 'mobilenetv2')], ids='-'.join
)
def bundle_file(request, tmp_path_factory):
    path = tmp_path_factory.mktemp('model') / 'kitti6.safetensors'
    upsampling, architecture = request.param
    bundle = published_bundle(
        'kitti6', interpolation='bilinear', upsampling=upsampling, architecture=architecture
    )
    save_bundle(path, bundle, 'float32')
    return path


@pytest.fixture(scope='module')
def exported(bundle_file, tmp_path_factory):
    """Export once in a format, for any size."""
    files = {}

    def export(file_format):
        _needs(file_format)
        if file_format not in files:
            name = f'exported{SUFFIX_OF_FORMAT[file_format]}'
            path = tmp_path_factory.mktemp('exported') / name
            arguments = ['export', str(bundle_file), '--format', file_format, '-o', str(path)]
            assert main(arguments) == 0
            files[file_format] = path
        return files[file_format]

    return export


FORMATS = [
    'onnx',
    'openvino',
    pytest.param('torchscript', marks=pytest.mark.slow),
    pytest.param('torch-export', marks=pytest.mark.slow),
]


@pytest.mark.parametrize('file_format', FORMATS)
def test_exported_file_gives_what_the_model_gives(exported, bundle_file, file_format):
    path = exported(file_format)
    model = read_model(path)
    assert isinstance(model, ExportedModel)
    assert model.metadata == read_model(bundle_file).metadata
    assert (model.format, model.fields, model.label_set, model.size, model.precision) == (
        file_format,
        ('labels', 'depth'),
        'kitti6',
        None,
        'float32',
    )
    predictor = Predictor(path, device='cpu', precision='float32')
    assert predictor.label_set.name == 'kitti6'
    reference = Predictor(bundle_file, backend='torch', device='cpu', precision='float32')
    parity = compare(reference, predictor, (75, 131))
    assert parity.holds(labels=0.999, depth=2e-3), parity


@pytest.mark.parametrize(
    ('file_format', 'backend'), [('onnx', 'onnxruntime'), ('onnx', 'openvino'), ('openvino',) * 2]
)
def test_runs_where_torch_is_not_installed(exported, tmp_path, file_format, backend):
    path = exported(file_format)
    _needs('openvino' if backend == 'openvino' else 'onnx')
    np.save(tmp_path / 'rgb.npy', synthetic_picture(64, 96))
    program = (
        'import sys\n'
        'sys.modules["torch"] = sys.modules["onnx"] = None\n'
        'import numpy as np\n'
        'from hydranet_ros.runtime.predictor import Predictor\n'
        f'p = Predictor({str(path)!r}, backend={backend!r})\n'
        'prediction = p.predict(np.load("rgb.npy"), fx=300.0)\n'
        'assert prediction.labels.shape == prediction.depth.shape == (64, 96)\n'
        'print(p.backend.name, p.backend.device, p.label_set.name)\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [backend, 'cpu', 'kitti6']


def test_export_of_one_size_takes_that_size_alone(bundle_file, tmp_path, capsys):
    _needs('openvino')
    path = tmp_path / 'fixed.xml'
    arguments = ['--format', 'openvino', '--size', '96x64', '--fields', 'depth', '-o', str(path)]
    assert main(['export', str(bundle_file), *arguments]) == 0
    assert re.search(r'96x64.*\n.*depth differs by', capsys.readouterr().out)
    predictor = Predictor(path)
    assert predictor.backend.fields == ('depth',)
    prediction = predictor.predict(synthetic_picture(64, 96))
    assert prediction.labels is None
    assert prediction.depth.shape == (64, 96)
    with pytest.raises(HydranetError, match='96x64'):
        predictor.predict(synthetic_picture(64, 64))
    for options in ({'label_set': 'nyud40'}, {'fields': ('labels',)}, {'precision': 'int8'}):
        with pytest.raises(HydranetError):
            Predictor(path, **options)


def test_suffix_must_fit_the_format(bundle_file, tmp_path, capsys):
    output = str(tmp_path / 'm.onnx')
    assert main(['export', str(bundle_file), '--format', 'torchscript', '-o', output]) == 1
    assert 'must end in .ts' in capsys.readouterr().err


@pytest.mark.parametrize('suffix', sorted(FORMAT_OF_SUFFIX))
def test_damaged_and_foreign_files_are_named(tmp_path, suffix):
    path = tmp_path / f'model{suffix}'
    for content in (b'', b'\xff\xff\xff\xff', b'<net></net>'):
        path.write_bytes(content)
        with pytest.raises(HydranetError, match=re.escape(str(path))):
            read_model(path)


def test_parity_is_told_in_words():
    assert str(Parity(0.5, None, None)) == '50.000 % of the labels equal'
    assert Parity(0.5, None, None).holds(labels=0.5, depth=0)
    assert not Parity(1.0, 0.2, 0.3).holds(labels=0.9, depth=0.1)
