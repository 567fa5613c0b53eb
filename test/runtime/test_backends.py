# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Every runtime predicts the same as the plain network, at any size."""

from __future__ import annotations

from importlib.util import find_spec
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
from published import published_bundle
import pytest
import torch

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice, save_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.network import enlarge, HydraNet
from hydranet_ros.resources import default_model
from hydranet_ros.runtime.backends import RUNTIMES
from hydranet_ros.runtime.backends.choice import choose, VARIABLE
from hydranet_ros.runtime.cache import BySize, cache_directory, cached_file, graph_key, prune
from hydranet_ros.runtime.parity import synthetic_picture
from hydranet_ros.runtime.predictor import Predictor

# Untrained weights amplify rounding, by how much depends on the processor (test_predictor.py).
TOLERANCE = 4e-3
SIZES = [(33, 97), (64, 96)]
LARGE_SIZES = [(375, 1242), (720, 1280)]
INSTALLED = [
    name
    for name, runtime in RUNTIMES.items()
    if runtime.rank is not None and find_spec(runtime.package)
]


def _image(height, width, seed=0):
    """Make a smooth, colourful image; noise would make every argmax almost a tie."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@torch.inference_mode()
def _plain(bundle: Bundle, rgb):
    """Run the network as it is trained, and resize as torch does: logits and depth."""
    metadata = bundle.metadata
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (metadata.mean, metadata.std))
    x = (torch.from_numpy(rgb).permute(2, 0, 1) / 255 - mean) / std
    outputs = bundle.network()(x[None])
    return {
        name: enlarge(raw, *rgb.shape[:2], metadata.upsampling, metadata.interpolation)[0].numpy()
        for name, raw in outputs.items()
    }


def _assert_close(prediction, expected, tolerance):
    logits = expected['segmentation']
    chosen = np.take_along_axis(logits, prediction.labels[None].astype(int), axis=0)[0]
    # Labels are equal except at ties.
    assert (logits.max(axis=0) - chosen).max() <= tolerance * np.abs(logits).max()
    depth = np.abs(expected['depth'][0]).clip(1e-3, 1000)
    difference = np.abs(prediction.depth - depth) / depth.max()
    # With more pixels, the largest error grows.
    assert np.quantile(difference, 0.999) <= tolerance
    assert difference.max() <= 5 * tolerance


@pytest.fixture(scope='module', autouse=True)
def own_cache(tmp_path_factory):
    """Use an empty cache instead of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='module')
def bundles():
    return {
        'bicubic': published_bundle('kitti6'),
        'bilinear': published_bundle('kitti6', interpolation='bilinear', upsampling='double'),
        'lite0': published_bundle('kitti6', architecture='efficientnet_lite0'),
    }


@pytest.mark.parametrize(
    ('backend', 'model'),
    [(INSTALLED[0], 'bicubic'), *((name, m) for name in INSTALLED for m in ('bilinear', 'lite0'))],
)
def test_parity(bundles, backend, model):
    bundle = bundles[model]
    predictor = Predictor(bundle, backend=backend, device='cpu', precision='float32')
    assert (predictor.backend.name, predictor.backend.precision) == (backend, 'float32')
    for height, width in SIZES:
        rgb = _image(height, width)
        _assert_close(predictor.predict(rgb), _plain(bundle, rgb), TOLERANCE)
    predictor.close()


@pytest.mark.parametrize('backend', INSTALLED)
@pytest.mark.parametrize('task', ['segmentation', 'depth'])
def test_a_network_for_one_task(backend, task):
    """A graph without depth has no input length_scale; one without classes has no labels."""
    labels = load_label_set('kitti6')
    channels = {'segmentation': labels.size, 'depth': 1}[task]
    pieces = (LabelSlice(labels, 0),) if task == 'segmentation' else ()
    torch.manual_seed(0)
    metadata = BundleMetadata('one_task', {task: channels}, pieces)
    bundle = Bundle.from_network(metadata, HydraNet({task: channels}))
    rgb = _image(64, 96)
    raw = _plain(bundle, rgb)[task]
    prediction = Predictor(bundle, backend=backend, device='cpu', precision='float32').predict(rgb)
    if task == 'segmentation':
        assert (prediction.labels == raw.argmax(axis=0)).mean() > 0.99
        assert prediction.depth is None
    else:
        error = np.abs(prediction.depth - np.abs(raw[0]))
        assert error.max() <= 5 * TOLERANCE * np.abs(raw).max() and prediction.labels is None


@pytest.mark.slow
@pytest.mark.parametrize('backend', INSTALLED)
@pytest.mark.parametrize(('height', 'width'), LARGE_SIZES)
def test_parity_at_camera_sizes(bundles, backend, height, width):
    rgb = _image(height, width)
    predictor = Predictor(bundles['bicubic'], backend=backend, device='cpu', precision='float32')
    _assert_close(predictor.predict(rgb), _plain(bundles['bicubic'], rgb), TOLERANCE)
    predictor.close()


@pytest.mark.slow
@pytest.mark.parametrize('backend', INSTALLED)
@pytest.mark.parametrize('variant', ['nyud40_normals', 'nyud40_kitti6'])
def test_parity_of_other_variants(backend, variant):
    bundle = published_bundle(variant)
    rgb = _image(75, 131)
    fields = ('labels', 'confidence', 'depth')
    reference = Predictor(bundle, backend='torch', device='cpu', fields=fields).predict(rgb)
    prediction = Predictor(
        bundle, backend=backend, device='cpu', precision='float32', fields=fields
    ).predict(rgb)
    assert (prediction.labels == reference.labels).mean() > 0.999
    np.testing.assert_allclose(prediction.depth, reference.depth, rtol=1e-2, atol=1e-2)
    confidence = prediction.confidence.astype(int) - reference.confidence
    assert np.abs(confidence).max() <= 2


@pytest.mark.skipif('openvino' not in INSTALLED, reason='OpenVINO is not installed')
@pytest.mark.skipif(default_model() is None, reason='no trained model is there')
def test_openvino_in_bfloat16_is_near():
    """Use trained weights, because with untrained ones rounding changes classes."""
    rgb = _image(64, 96)
    expected = Predictor(default_model(), backend='torch', device='cpu').predict(rgb)
    predictor = Predictor(default_model(), backend='openvino', precision='bfloat16')
    assert predictor.backend.precision == 'bfloat16'
    prediction = predictor.predict(rgb)
    assert (prediction.labels == expected.labels).mean() > 0.9
    assert np.median(np.abs(prediction.depth / expected.depth - 1)) < 0.03


@pytest.mark.skipif('openvino' not in INSTALLED, reason='OpenVINO is not installed')
def test_second_start_needs_no_torch(bundles, tmp_path):
    """The converted and the compiled graph are in the cache."""
    save_bundle(tmp_path / 'm.safetensors', bundles['bilinear'], 'float32')
    rgb = _image(64, 96)
    first = Predictor(tmp_path / 'm.safetensors', backend='openvino', device='cpu')
    np.save(tmp_path / 'rgb.npy', rgb)
    np.save(tmp_path / 'depth.npy', first.predict(rgb).depth)
    program = (
        'import sys; sys.modules["torch"] = None\n'
        'import numpy as np\n'
        'from hydranet_ros.runtime.predictor import Predictor\n'
        'p = Predictor("m.safetensors", backend="openvino", device="cpu")\n'
        'depth = p.predict(np.load("rgb.npy")).depth\n'
        'np.testing.assert_allclose(depth, np.load("depth.npy"), rtol=1e-4)\n'
    )
    subprocess.run([sys.executable, '-c', program], check=True, cwd=tmp_path, timeout=120)


@pytest.mark.parametrize('backend', INSTALLED)
def test_sizes_may_change_with_every_image(bundles, backend):
    predictor = Predictor(bundles['bilinear'], backend=backend, device='cpu')
    for height, width in [(32, 32), (40, 56), (32, 32), (56, 40)]:
        prediction = predictor.predict(_image(height, width))
        assert prediction.labels.shape == prediction.depth.shape == (height, width)
    predictor.close()


@pytest.mark.parametrize('backend', INSTALLED)
def test_results_belong_to_the_caller(bundles, backend):
    predictor = Predictor(bundles['bilinear'], backend=backend, device='cpu')
    first = predictor.predict(_image(64, 96, seed=1))
    labels, depth = first.labels.copy(), first.depth.copy()
    predictor.predict(_image(64, 96, seed=2))
    assert np.array_equal(first.labels, labels)
    assert np.array_equal(first.depth, depth)


def test_a_cpu_gets_the_runtime_that_the_environment_names(bundles, monkeypatch):
    for name in INSTALLED:
        monkeypatch.setenv(VARIABLE, name)
        assert Predictor(bundles['bilinear'], device='cpu').backend.name == name
    monkeypatch.setenv(VARIABLE, 'openvinno')
    with pytest.raises(HydranetError, match=f"{VARIABLE} is 'openvinno'; known are openvino"):
        Predictor(bundles['bilinear'], device='cpu')


class _Clock:
    """A clock that is set by the test."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


class _Timed:
    """A backend that takes a given time."""

    def __init__(self, name, seconds, runs, clock=None):
        self.name, self._seconds, self._runs = name, seconds, runs
        self._clock = clock or _Clock()

    def run(self, image, length_scale):
        assert image.shape == (40, 56, 3) and length_scale == 1.0
        self._runs.append(self.name)
        self._clock.now += self._seconds

    def close(self):
        self._runs.append(f'{self.name} closed')


@pytest.mark.parametrize(
    ('seconds', 'fastest'), [((0.02, 0.001), 'b'), ((0.001, 0.02), 'a'), ((0.02, 0.0195), 'a')]
)
def test_the_fastest_is_found_once_and_remembered(tmp_path, monkeypatch, seconds, fastest):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    runs, clock = [], _Clock()
    monkeypatch.setattr('hydranet_ros.runtime.backends.choice.time', clock)

    def open_one(name):
        return _Timed(name, dict(zip('ab', seconds, strict=True))[name], runs, clock)

    assert choose(('a', 'b'), open_one, 'model', (40, 56)) == fastest
    assert runs[:4] == ['a', 'b', 'a', 'b'] and set(runs[-2:]) == {'a closed', 'b closed'}
    runs.clear()
    assert choose(('a', 'b'), open_one, 'model', (40, 56)) == fastest
    assert not runs
    choose(('a', 'b'), open_one, 'another model', (40, 56))
    assert runs


def test_a_runtime_that_fails_after_all_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)

    def open_one(name):
        if name == 'a':
            raise ImportError('built for another numpy')
        return _Timed(name, 0.0, [])

    with pytest.warns(UserWarning, match="'a' cannot be used: built for another numpy"):
        assert choose(('a', 'b'), open_one, 'model', (40, 56)) == 'b'
    with pytest.warns(UserWarning):
        assert choose(('a',) * 2, open_one, 'model', (40, 56)) == 'a'


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('g++') is None, reason='needs a C++ compiler')
def test_torch_compile_gives_the_same(bundles):
    rgb = _image(64, 96)
    predictor = Predictor(bundles['bilinear'], backend='torch-compile', warm_up_size=None)
    assert predictor.backend.name == 'torch-compile'
    _assert_close(predictor.predict(rgb), _plain(bundles['bilinear'], rgb), TOLERANCE)


@pytest.mark.parametrize(
    ('vendor', 'flags', 'fast'),
    [
        ('GenuineIntel', 'avx512f avx512_bf16 amx_bf16 amx_tile', True),
        ('GenuineIntel', 'avx512f avx512_bf16', False),
        ('AuthenticAMD', 'avx512f avx512_bf16', True),
        ('AuthenticAMD', 'avx2', False),
    ],
)
def test_bfloat16_is_taken_where_it_was_faster(vendor, flags, fast):
    backend = pytest.importorskip('hydranet_ros.runtime.backends.openvino_backend')
    assert backend.is_fast_in_bfloat16(f'vendor_id : {vendor}\nflags : fpu {flags}\n') == fast


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')
@pytest.mark.parametrize(
    ('backend', 'precision', 'differing'),
    [
        ('torch', 'float32', 0.01),  # convolutions in TF32
        ('torch', 'float16', 0.02),
        pytest.param('torch-compile', 'float16', 0.02, marks=pytest.mark.slow),
    ],
)
def test_cuda_gives_the_same(backend, precision, differing):
    """One recorded graph per size; trained weights, because untrained ones amplify rounding."""
    cpu = Predictor(default_model(), backend='torch', device='cpu', warm_up_size=None)
    cuda = Predictor(default_model(), backend=backend, precision=precision, warm_up_size=None)
    used = cuda.backend
    assert (used.name, used.device, used.precision) == (backend, 'cuda:0', precision)
    for size in ((33, 97), (375, 1242), (720, 1280), (33, 97)):
        rgb = synthetic_picture(*size)
        one, other = cpu.predict(rgb), cuda.predict(rgb)
        assert one.labels is not None and other.depth is not None and other.depth.shape == size
        assert (one.labels != other.labels).mean() < differing
        np.testing.assert_allclose(other.depth, one.depth, rtol=0.05)
    cuda.close()


def test_torch_compile_without_a_compiler_is_one_sentence(bundles, monkeypatch):
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(HydranetError, match=r'needs a C\+\+ compiler'):
        Predictor(bundles['bilinear'], backend='torch-compile')


@pytest.mark.parametrize(
    ('options', 'what'),
    [
        ({'backend': 'openvino', 'device': 'cuda'}, 'not on device'),
        ({'backend': 'torch', 'device': 'npu'}, 'not on device'),
        ({'backend': 'onnxruntime', 'precision': 'bfloat16'}, 'no precision'),
        ({'precision': 'int8'}, 'quantize'),
    ],
)
def test_impossible_combinations_are_refused(bundles, options, what):
    pytest.importorskip(options.get('backend', 'torch'))
    with pytest.raises(HydranetError, match=what):
        Predictor(bundles['bilinear'], **options)


def test_a_missing_runtime_is_named(bundles, monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(HydranetError, match='needs the Python package openvino'):
        Predictor(bundles['bilinear'], backend='openvino')


def test_a_bundle_needs_torch_where_it_was_not_converted_before(bundles, monkeypatch, tmp_path):
    pytest.importorskip('openvino')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setitem(sys.modules, 'hydranet_ros.model.export', None)
    with pytest.raises(HydranetError, match='hydranet export'):
        Predictor(bundles['bilinear'], backend='openvino')


def test_the_sizes_used_last_are_kept():
    made = []
    sizes = BySize(lambda height, width: made.append((height, width)), limit=2)
    for side in (1, 2, 1, 3, 1, 2):
        sizes(side, side)
    assert made == [(1, 1), (2, 2), (3, 3), (2, 2)]


def test_graph_key_tells_graphs_apart(bundles):
    bundle = bundles['bilinear']
    keys = {
        graph_key(bundle, None, None, 'a'),
        graph_key(bundle, None, None, 'b'),
        graph_key(bundle, None, ('labels',), 'a'),
        graph_key(bundles['bicubic'], None, None, 'a'),
        graph_key(Bundle(bundle.metadata, {**bundle.weights, 'x': np.ones(1)}), None, None, 'a'),
    }
    assert len(keys) == 5
    assert graph_key(bundle, None, None, 'a') in keys


def test_cached_files_are_written_once_and_pruned(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    calls = []

    def write(path):
        calls.append(path)
        path.write_bytes(b'x' * 10)
        path.with_suffix('.bin').write_bytes(b'y')

    first, second = cached_file('a.xml', write), cached_file('a.xml', write)
    assert first == second == tmp_path / 'hydranet_ros' / 'a.xml'
    assert len(calls) == 1
    assert first.with_suffix('.bin').read_bytes() == b'y'
    os.utime(first.with_suffix('.bin'), (0, 0))
    recent = cached_file('b.xml', write)
    os.utime(first, (1, 1))
    prune(recent.parent, 11)
    # Files with one stem are removed together, the least recently used first.
    assert sorted(file.name for file in recent.parent.iterdir()) == ['b.bin', 'b.xml']


def test_without_a_place_to_write_there_is_no_cache(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
    assert cache_directory() is None
    assert cached_file('a', lambda path: path.touch()) is None
