# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""colcon builds and installs the package, and the installation works."""

import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

from checkout import CHECKOUT
import pytest
import yaml

from hydranet_ros import __version__

COLCON = shutil.which('colcon', path=f'{Path(sys.executable).parent}:{os.environ["PATH"]}')
NOT_SOURCE = shutil.ignore_patterns(
    '.*', 'build', 'install', 'log', 'demo_output', 'runs', '__pycache__', '*.egg-info'
)


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Build a clean copy of the package and return where it was installed."""
    if COLCON is None:
        pytest.skip('colcon is not installed (pip install colcon-common-extensions)')
    workspace = tmp_path_factory.mktemp('workspace')
    shutil.copytree(CHECKOUT, workspace / 'src' / 'hydranet_ros', ignore=NOT_SOURCE)
    built = subprocess.run(
        [COLCON, 'build', '--event-handlers', 'console_direct+'],
        cwd=workspace,
        env={**os.environ, 'COLCON_LOG_LEVEL': '30'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout
    return workspace / 'install' / 'hydranet_ros'


def test_colcon_installs_what_ros_looks_for(installed):
    share = installed / 'share' / 'hydranet_ros'
    assert (installed / 'share/ament_index/resource_index/packages/hydranet_ros').is_file()
    for folder in ('launch', 'config', 'models'):
        expected = {
            str(path.relative_to(CHECKOUT))
            for path in (CHECKOUT / folder).rglob('*')
            if path.is_file() and '__pycache__' not in path.parts
        }
        found = {str(p.relative_to(share)) for p in (share / folder).rglob('*') if p.is_file()}
        assert found == expected, folder
    assert (share / 'package.xml').is_file()
    assert list(
        (installed / 'lib').glob('python*/site-packages/hydranet_ros/evaluation/templates/*')
    )
    executables = {path.name for path in (installed / 'lib' / 'hydranet_ros').iterdir()}
    assert executables >= {'perception_node', 'bag_player', 'bag_recorder', 'hydranet'}


def test_installed_command_finds_the_installed_files(installed):
    site_packages = next((installed / 'lib').glob('python*/site-packages'))
    program = (
        'from hydranet_ros.resources import share_directory; '
        'from hydranet_ros.model.labels import label_set_names; '
        'print(share_directory(), len(label_set_names()))'
    )
    printed = subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, 'PYTHONPATH': str(site_packages)},
        cwd=installed,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    assert printed == [str(installed / 'share' / 'hydranet_ros'), '5']


def test_manifest_and_setup_agree():
    manifest = ElementTree.parse(CHECKOUT / 'package.xml').getroot()
    assert manifest.get('format') == '3'
    assert manifest.findtext('version') == __version__
    assert manifest.findtext('license') == 'Apache-2.0'
    assert manifest.find('export/build_type').text == 'ament_python'
    assert f"version='{__version__}'" in (CHECKOUT / 'setup.py').read_text()
    citation = yaml.safe_load((CHECKOUT / 'CITATION.cff').read_text())
    assert (citation['version'], citation['license']) == (__version__, 'Apache-2.0')


def test_hooks_are_local_and_run_what_make_check_runs():
    repositories = yaml.safe_load((CHECKOUT / '.pre-commit-config.yaml').read_text())['repos']
    assert {each['repo'] for each in repositories} == {'local'}
    entries = [hook['entry'] for each in repositories for hook in each['hooks']]
    makefile = (CHECKOUT / 'Makefile').read_text()
    checks = set(re.findall(r'\$\(BIN\)/(\w+)', makefile))
    tools = {Path(entry.split()[0]).name for entry in entries}
    assert {'ruff', 'mypy', 'ament_flake8', 'ament_pep257'} <= checks & tools


def test_the_workflow_has_both_jobs():
    text = (CHECKOUT / '.github' / 'workflows' / 'ci.yml').read_text()
    jobs = yaml.safe_load(text)['jobs']
    assert {'run': 'make test'} in jobs['wheels']['steps']
    assert jobs['colcon']['container'] == 'ros:jazzy' and 'NOT been run' in text
