# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Distillation of a dataset, and its command."""

from __future__ import annotations

import json
from pathlib import Path

from distillation_data import (
    contents,
    labels_config,
    start,
    write_blocks,
    write_yaml,
)
import pytest
import yaml

from hydranet_ros.cli.main import main
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.distill import load_config
from hydranet_ros.training.distillation.teachers import Teacher


def test_shares_of_several_processes_make_up_the_whole(config: Path) -> None:
    one = start(config)
    one.run()
    whole = contents(config.parent / 'labels')
    overrides = f'segmentation.output={config.parent / "shared"}'
    assert start(config, overrides).run(0, 3) == {'written': 2}
    assert start(config, overrides).run(2, 3) == {'written': 1}
    assert start(config, overrides).run(1, 3) == {'written': 1}
    assert contents(config.parent / 'shared') == whole


def test_an_unreadable_image_is_named(config: Path) -> None:
    (config.parent / 'data' / 'image' / '001.png').write_bytes(b'no image')
    with pytest.raises(HydranetError, match=r'001\.png is damaged'):
        start(config).run()


def test_the_command_writes_its_share_and_reports(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setenv('WORLD_SIZE', '3')
    assert main(['distill', str(config)]) == 0
    assert 'blocks/all (process 1 of 3): 1 written, 0 kept' in capsys.readouterr().out
    assert [path.name for path in (config.parent / 'labels').glob('*.png')] == ['001.png']
    monkeypatch.setenv('RANK', '3')
    assert main(['distill', str(config)]) == 1
    assert 'RANK=3 of WORLD_SIZE=3 is impossible' in capsys.readouterr().err


def test_the_command_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = labels_config(tmp_path, write_blocks(tmp_path / 'data', annotations=True))
    assert main(['distill', str(config), '--measure', '--limit', '2']) == 0
    assert json.loads(capsys.readouterr().out)['segmentation']['mean_iou'] == 1.0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'segmentation': None}, 'needs a section `segmentation`, `depth` or `normals`'),
        ({'teachers': 'x'}, "has no key 'teachers'"),
        ({'teacher': 'nobody'}, 'no file config/teachers/nobody.yaml'),
    ],
)
def test_faults_of_the_file_are_told_in_a_sentence(
    config: Path, change: dict, message: str
) -> None:

    content = {**yaml.safe_load(config.read_text()), **change}
    with pytest.raises(HydranetError, match=message):
        start(write_yaml(config, {key: each for key, each in content.items() if each}))


def test_every_shipped_distillation_names_what_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    from hydranet_ros.resources import config_path, share_directory
    from hydranet_ros.training.distillation.mappings import load_mapping

    monkeypatch.setenv('HYDRANET_DATA', '/nowhere')
    files = sorted((share_directory() / 'config' / 'distillation').glob('*.yaml'))
    assert files
    for file in files:
        config, variables = load_config(file.stem)
        assert config_path(f'teachers/{config.teacher}.yaml')
        assert config_path(f'datasets/{config.dataset}.yaml')
        if config.segmentation is not None and config.segmentation.mapping:
            load_mapping(config.segmentation.mapping)
        assert variables


def test_a_teacher_needs_to_annotate() -> None:
    with pytest.raises(TypeError, match='annotate'):
        Teacher()  # type: ignore[abstract]
