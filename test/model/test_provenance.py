# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the record of code and files."""

from __future__ import annotations

from pathlib import Path
import shutil
import subprocess

from checkout import CHECKOUT
import pytest

from hydranet_ros import resources
from hydranet_ros.model import provenance
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.provenance import commit_of, provenance_of, source_digest, sources_of

TRAINER = 'hydranet_ros.training.loop'


def test_sources_are_followed_through_imports_everywhere() -> None:
    """Indirect imports, imports inside functions, and the packages that they run."""
    names = set(sources_of(TRAINER))
    assert {
        'hydranet_ros',
        'hydranet_ros.model.labels',
        'hydranet_ros.model.tasks',
        TRAINER,
    } <= names
    assert 'hydranet_ros.cli.main' not in names
    assert all(path.is_file() for path in sources_of(TRAINER).values())


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commit a copy of the package to a new repository, and let provenance use it."""
    for folder in ('hydranet_ros', 'config'):
        shutil.copytree(
            CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns('__pycache__')
        )
    git = ('git', '-C', str(tmp_path), '-c', 'user.name=a', '-c', 'user.email=a@b')
    for arguments in (('init', '-q'), ('add', '.'), ('commit', '-q', '-m', 'a')):
        subprocess.run([*git, *arguments], check=True)
    monkeypatch.setattr(provenance, 'share_directory', lambda: tmp_path)
    monkeypatch.setattr(resources, 'share_directory', lambda: tmp_path)
    monkeypatch.setattr(resources, '_FILES_READ', {})
    real = provenance._source_file

    def in_the_copy(module: str) -> Path | None:
        path = real(module)
        return path and tmp_path / path.relative_to(CHECKOUT)

    monkeypatch.setattr(provenance, '_source_file', in_the_copy)
    sources_of.cache_clear()
    yield tmp_path
    sources_of.cache_clear()


@pytest.mark.parametrize(
    'changed',
    [
        'hydranet_ros/model/labels.py',
        'hydranet_ros/model/tasks.py',
        'config/labels/camvid11.yaml',
        'config/datasets/nyud.yaml',
    ],
)
def test_a_change_of_what_was_used_is_noticed(
    checkout: Path, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module or a configuration file that differs from the commit."""

    def read_all() -> dict:
        load_label_set('camvid11')
        resources.read_yaml(resources.config_path('datasets/nyud.yaml'))
        return provenance_of(TRAINER)

    before = read_all()
    assert len(before['commit']) == 40 and set(before['files']) == {
        'config/labels/camvid11.yaml',
        'config/datasets/nyud.yaml',
    }
    with (checkout / changed).open('a') as file:
        file.write('\n# changed\n')
    after = read_all()
    assert after['commit'] == f'{before["commit"]} with changes'
    assert (after['code'] != before['code']) == changed.endswith('.py')
    assert (after['files'] != before['files']) == changed.endswith('.yaml')


def test_a_change_of_what_was_not_used_is_not(checkout: Path) -> None:
    """The node is not part of a training."""
    before = provenance_of(TRAINER)
    with (checkout / 'hydranet_ros/node/perception/perception_node.py').open('a') as file:
        file.write('\n# changed\n')
    assert provenance_of(TRAINER) == before
    assert source_digest(TRAINER) == source_digest(TRAINER)


def test_code_without_its_repository_says_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HYDRANET_COMMIT is used in a container, and ignored in a repository."""
    monkeypatch.setenv('HYDRANET_COMMIT', 'abc')
    assert commit_of('hydranet_ros') not in ('', 'abc')
    monkeypatch.setattr(provenance, 'share_directory', lambda: tmp_path)
    assert commit_of('hydranet_ros') == 'abc'
    monkeypatch.delenv('HYDRANET_COMMIT')
    assert commit_of('hydranet_ros') == ''
