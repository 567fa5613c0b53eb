# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures the given cases, and its plain network is the published one."""

import json

import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.cli.main import main
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.runtime.benchmark import PlainWay, Timing
from hydranet_ros.runtime.machine import machine
from hydranet_ros.runtime.parity import synthetic_picture
from hydranet_ros.runtime.predictor import Predictor


@pytest.fixture(scope='module')
def bundle():
    return published_bundle('kitti6')


@pytest.mark.parametrize('variant', ['kitti6', 'nyud40_kitti6'])
def test_the_plain_way_gives_what_the_predictor_gives(variant):
    bundle = published_bundle(variant)
    rgb = synthetic_picture(64, 96)
    labels, depth = PlainWay(bundle).predict(rgb)
    prediction = Predictor(bundle, backend='torch', device='cpu').predict(rgb)
    assert (labels == prediction.labels).mean() > 0.999
    np.testing.assert_allclose(depth, prediction.depth, atol=2e-3 * depth.max())


def test_timing_is_in_milliseconds():
    timing = Timing.of([0.001, 0.002, 0.003])
    assert timing.median == pytest.approx(2.0)
    assert timing.median < timing.p95 <= 3.0


def test_the_machine_is_described():
    facts = machine()
    assert facts['processor']
    assert int(facts['cores']) >= 1
    assert facts['numpy'] == np.__version__


def test_table_and_json(bundle, tmp_path, capsys):
    model, report = tmp_path / 'm.safetensors', tmp_path / 'report.json'
    save_bundle(model, bundle, 'float32')
    status = main(
        [
            *('bench', str(model), '--sizes', '64x32', '96x64', '--rounds', '2'),
            *('--backends', 'torch', '--precisions', 'float32', 'int8'),
            *('--against', 'eager', '--json', str(report)),
        ]
    )
    output = capsys.readouterr()
    assert status == 0
    assert 'skipped: int8' in output.err
    assert output.out.count(' torch ') == 2
    content = json.loads(report.read_text())
    assert [result['size'] for result in content['results']] == [[64, 32], [96, 64]]
    for result in content['results']:
        assert 0 < result['forward']['median'] <= result['end_to_end']['median']
        assert result['speedup'] > 0
        assert result['rate'] == pytest.approx(1e3 / result['end_to_end']['median'])
    assert set(content['plain']) == {'64x32', '96x64'}


@pytest.mark.parametrize(
    ('arguments', 'what'),
    [
        (['--rounds', '0'], 'round'),
        (['--backends', 'abacus'], 'Nothing to measure'),
    ],
)
def test_what_cannot_be_measured_is_said(bundle, tmp_path, capsys, arguments, what):
    model = tmp_path / 'm.safetensors'
    save_bundle(model, bundle, 'float32')
    assert main(['bench', str(model), *arguments]) == 1
    assert what in capsys.readouterr().err
