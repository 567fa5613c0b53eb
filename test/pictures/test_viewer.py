# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The viewer: what is logged, and what a browser shows of it."""

from pathlib import Path
import re
import socket
import subprocess
import sys
import time

from browser import CHROMIUM, running_browser
import cv2
import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.camera.camera import pinhole
from hydranet_ros.cli.main import main
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.pictures.viewer import saved, served, spawned, Viewer, ViewerOptions
from hydranet_ros.runtime.predictor import Prediction

pytest.importorskip('rerun', reason='rerun-sdk is not installed')

LABELS = load_label_set('kitti6')
OPTIONS = ViewerOptions(LABELS, (0.5, 20.0), stride=4)
CAMERA = pinhole(160, 120, np.array([[150.0, 0, 79.5], [0, 150, 59.5], [0, 0, 1]]))
ORANGE, PURPLE = (255, 140, 0), (120, 0, 255)
ROAD, CAR = LABELS.classes.index('road'), LABELS.classes.index('car')


def scene(**known):
    """Return a sample, orange above purple, and a prediction, road left of car, 2 to 6 m away."""
    rgb = np.empty((120, 160, 3), np.uint8)
    rgb[:60], rgb[60:] = ORANGE, PURPLE
    labels = np.full((120, 160), ROAD, np.uint8)
    labels[:, 80:] = CAR
    depth = np.linspace(6, 2, 120, dtype=np.float32)[:, None].repeat(160, axis=1)
    return Sample('a', rgb, time=0.0, **known), Prediction(labels=labels, depth=depth)


def entities(path):
    """Return the paths of what a recording holds, as the viewer's own tool prints them."""
    printed = subprocess.run(
        [Path(sys.executable).with_name('rerun'), 'rrd', 'print', str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout
    assert re.search(r'PythonSdk', printed)
    return set(re.findall(r'entity_path: (\S+)|with \d+ rows? .* - (/\S*)', printed)), printed


def logged(path, sample, prediction, options=OPTIONS):
    """Log one sample to a file and return the paths in it."""
    viewer = Viewer(saved(path), options)
    viewer.show(sample, prediction)
    viewer.close()
    found, _ = entities(path)
    return {name for pair in found for name in pair if name and not name.startswith('/__')}


IMAGES = {'/image', '/predicted/classes', '/predicted/depth'}
SPACE = {'/world', '/world/camera/lens', '/world/camera/lens/image'}
CLOUDS = {'/world/camera/cloud', '/world/camera/classes'}


def test_what_is_known_is_logged(tmp_path):
    path = tmp_path / 'new' / 'a.rrd'
    sample, prediction = scene()
    assert logged(path, sample, prediction) >= IMAGES
    assert not logged(path, sample, prediction) & (CLOUDS | {'/world/camera/lens'})
    sample, prediction = scene(camera=CAMERA)
    found = logged(path, sample, prediction)
    assert found >= IMAGES | SPACE | CLOUDS
    assert not found & {'/world/camera', '/measured/depth', '/measured/classes'}
    sample, prediction = scene(
        camera=CAMERA,
        pose=np.eye(4),
        depth=np.ones((120, 160), np.float32),
        segmentation=np.zeros((120, 160), np.uint8),
    )
    truth = {'/world/camera', '/world/path', '/measured/depth', '/measured/classes'}
    assert logged(path, sample, prediction) >= IMAGES | SPACE | CLOUDS | truth


def test_models_with_one_task_are_shown_too(tmp_path):
    sample, prediction = scene(camera=CAMERA)
    path = tmp_path / 'a.rrd'
    found = logged(path, sample, Prediction(labels=prediction.labels))
    assert '/predicted/classes' in found and not found & (CLOUDS | {'/predicted/depth'})
    found = logged(
        path, sample, Prediction(depth=prediction.depth), ViewerOptions(None, (0.5, 20))
    )
    assert '/world/camera/cloud' in found and '/world/camera/classes' not in found


def test_sinks_that_cannot_be_used_are_named(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    with pytest.raises(HydranetError, match='cannot be written'):
        Viewer(saved(tmp_path / 'file' / 'a.rrd'), OPTIONS)
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    if sys.platform == 'linux':
        with pytest.raises(HydranetError, match='--web'):
            Viewer(spawned(), OPTIONS)
    monkeypatch.setitem(sys.modules, 'rerun', None)
    with pytest.raises(HydranetError, match='pip install rerun-sdk'):
        Viewer(saved(tmp_path / 'a.rrd'), OPTIONS)


def test_command_saves_a_recording(tmp_path, capsys):
    model, image = tmp_path / 'model.safetensors', tmp_path / 'images' / 'a.png'
    save_bundle(model, published_bundle('kitti6'))
    image.parent.mkdir()
    sample, _ = scene()
    cv2.imwrite(str(image), sample.image[..., ::-1])
    output = tmp_path / 'a.rrd'
    arguments = ['view', str(model), str(image.parent), '--fx', '150', '--save', str(output)]
    arguments += ['--backend', 'torch']
    assert main(arguments) == 0
    assert str(output) in capsys.readouterr().out
    found, printed = entities(output)
    assert {name for pair in found for name in pair} >= CLOUDS
    assert 'image_plane_distance' in printed or 'Pinhole' in printed


def free_port():
    """Return a TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def share(picture, color, tolerance=12):
    """Return the share of a picture that has about a colour."""
    difference = np.abs(picture.astype(int) - color).max(axis=2)
    return (difference <= tolerance).mean()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason='Chromium is not installed')
def test_a_browser_shows_the_picture(tmp_path):
    addresses = []
    viewer = Viewer(served(free_port(), free_port(), addresses.append), OPTIONS)
    viewer.show(*scene(camera=CAMERA))
    with running_browser(tmp_path / 'profile', 1200, 800) as browser:
        browser.open(f'{addresses[0]}&renderer=webgl')
        road, car = LABELS.colors[ROAD], LABELS.colors[CAR]
        deadline = time.monotonic() + 200
        while True:
            shown = browser.screenshot()
            upper, lower = np.split(shown[: shown.shape[0] // 2 * 2], 2)
            # Below: the image and the classes. Above: the cloud in its colours and its classes.
            seen = {
                'image': min(share(lower, ORANGE), share(lower, PURPLE)),
                'classes': min(share(lower, road), share(lower, car)),
                'cloud': share(upper[:, :600], ORANGE, 60),
                'cloud of classes': share(upper[:, 600:], car, 60),
            }
            if all(value > 0.01 for value in seen.values()):
                break
            assert time.monotonic() < deadline, seen
    viewer.close()
