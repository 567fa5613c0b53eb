# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Quantising writes a file that runs, and reports a failure if the loss is too large."""

from dataclasses import replace

import cv2
from evaluated_bags import make_bag, samples
import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.cli.main import main
from hydranet_ros.cli.quantize import _BagTruth, Loss
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, save_bundle
from hydranet_ros.model.exported_model import read_model
from hydranet_ros.runtime.parity import synthetic_picture
from hydranet_ros.runtime.predictor import Predictor

DATASET = """
name: synthetic
root: {root}
splits:
  train: {{}}
  val: {{}}
segmentation: {{label_set: kitti6, ignore: [255], origin: synthetic}}
depth: {{units_per_metre: 256, origin: synthetic}}
"""


@pytest.fixture(scope='module', autouse=True)
def own_cache(tmp_path_factory):
    """Use an empty cache instead of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='module')
def bundle():
    bundle = published_bundle('kitti6', interpolation='bilinear', upsampling='double')
    metadata = replace(bundle.metadata, depth_range=(0.1, 80.0), canonical_focal=500.0)
    return Bundle(metadata, bundle.weights)


@pytest.fixture
def model_file(bundle, tmp_path):
    path = tmp_path / 'm.safetensors'
    save_bundle(path, bundle, 'float32')
    return path


@pytest.fixture
def dataset(bundle, tmp_path):
    """Make four images, annotated with the predictions of the model itself."""
    predictor = Predictor(bundle, backend='torch', device='cpu')
    for folder in ('image', 'segmentation', 'depth'):
        (tmp_path / folder).mkdir()
    for index in range(4):
        rgb = synthetic_picture(64, 96, seed=index)
        prediction = predictor.predict(rgb)
        millimetres = np.round(256 * prediction.depth).astype(np.uint16)
        cv2.imwrite(str(tmp_path / 'image' / f'{index}.png'), rgb[..., ::-1])
        cv2.imwrite(str(tmp_path / 'segmentation' / f'{index}.png'), prediction.labels)
        cv2.imwrite(str(tmp_path / 'depth' / f'{index}.png'), millimetres)
    path = tmp_path / 'synthetic.yaml'
    path.write_text(DATASET.format(root=tmp_path))
    return path


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['dataset', 'bag'])
def test_quantised_model_runs_and_its_loss_is_measured(
    model_file, dataset, tmp_path, capsys, kind
):
    pytest.importorskip('nncf')
    output = tmp_path / 'small.xml'
    data = dataset if kind == 'dataset' else make_bag(tmp_path / 'bag')
    command = ['quantize', str(model_file), '--data', str(data), '-o', str(output)]
    # Untrained weights lose far more accuracy than trained ones.
    assert main([*command, '--bound', '101', '1e9']) == 0
    text = capsys.readouterr().out
    assert 'mIoU' in text
    assert 'RMSE' in text
    assert read_model(output).precision == 'int8'
    predictor = Predictor(output)
    assert (predictor.backend.name, predictor.backend.precision) == ('openvino', 'int8')
    picture = synthetic_picture(40, 56)
    near, far = predictor.predict(picture, fx=250.0), predictor.predict(picture, fx=1000.0)
    assert near.labels.shape == (40, 56)
    # Depth must scale with a focal length that was not used for calibration.
    np.testing.assert_allclose(far.depth, 4 * near.depth, rtol=1e-5)
    with pytest.raises(HydranetError, match='precision'):
        Predictor(output, precision='float32')

    assert main([*command, '--bound', '-1', '-1']) == 1
    assert 'do not use it' in capsys.readouterr().err


def test_a_bag_gives_images_to_calibrate_on_and_truth_to_measure_with(bundle, tmp_path):
    truth = _BagTruth(make_bag(tmp_path / 'bag', 7), None)
    images = list(truth.images(None, 3))
    expected = [sample.image for _, sample in samples(7)][::3]
    assert len(images) == 3
    for image, rgb in zip(images, expected, strict=True):
        np.testing.assert_array_equal(image, rgb)
    assert truth.label_set(bundle) == 'kitti6'
    figures = truth.figures(Predictor(bundle, backend='torch', device='cpu', warm_up_size=None))
    assert set(figures) == {'segmentation', 'depth'}
    with pytest.raises(HydranetError, match='no file or folder trian'):
        truth.images('trian', 3)


def test_a_loss_that_is_no_number_is_not_acceptable():
    assert Loss('mIoU %', 50, 49.5, 0.5, 1.0, 'points').acceptable
    assert not Loss('mIoU %', 50, 48, 2.0, 1.0, 'points').acceptable
    assert not Loss('mIoU %', 50, float('nan'), float('nan'), 1.0, 'points').acceptable


@pytest.mark.parametrize(
    ('arguments', 'what'),
    [
        (['--limit', '0'], 'at least 1'),
        (['data'], 'NAME=VALUE'),
        (['-o', 'small.onnx'], r'.xml'),
    ],
)
def test_wrong_usage_is_named(model_file, dataset, capsys, arguments, what):
    output = str(model_file.with_name('small.xml'))
    command = ['quantize', str(model_file), '--data', str(dataset), '-o', output]
    assert main([*command, *arguments]) == 1
    assert what in capsys.readouterr().err
