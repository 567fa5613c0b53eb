# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The container's files, read as text: no engine runs where the tests do.

``make check`` also runs hadolint.
"""

from __future__ import annotations

from pathlib import Path
import re
import shutil
import subprocess

from checkout import CHECKOUT
import pytest
import yaml

from hydranet_ros.launching.process_specs import LAUNCH_ARGUMENTS

FOLDER = CHECKOUT / 'docker'


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, continued lines joined."""
    lines = (FOLDER / 'Dockerfile').read_text().splitlines()
    text = '\n'.join(line for line in lines if line and not line.startswith('#'))
    joined = text.replace('\\\n', ' ').splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(' ') for line in joined)]


def test_copied_files_exist_and_are_sent_to_the_engine() -> None:
    ignored = set((CHECKOUT / '.dockerignore').read_text().split())
    copied = [rest.split()[:-1] for word, rest in instructions() if word == 'COPY']
    assert len(copied) == 3
    for source in (name for names in copied for name in names):
        assert (CHECKOUT / source).exists()
        assert Path(source).parts[:1] not in [(name,) for name in ignored]
    tracked = {path.name for path in CHECKOUT.iterdir()} - ignored
    assert tracked >= {'hydranet_ros', 'launch', 'config', 'models', 'resource', 'setup.py'}


def test_its_programs_are_valid() -> None:
    bash = shutil.which('bash')
    if bash is None:
        pytest.skip('there is no bash')
    programs = [rest for word, rest in instructions() if word == 'RUN']
    for program in [*programs, (FOLDER / 'entrypoint.sh').read_text()]:
        subprocess.run([bash, '-n', '-c', program], check=True)
    assert (FOLDER / 'entrypoint.sh').stat().st_mode & 0o111


def test_variables_are_declared() -> None:
    declared = {'HOME', 'ROS_DISTRO'}  # by the shell and the image of ROS
    for word, rest in instructions():
        assert set(re.findall(r'\$\{?([A-Z_]+)', rest)) <= declared
        if word in ('ARG', 'ENV'):
            declared.add(rest.partition('=')[0])


def test_compose_starts_the_node_with_its_arguments() -> None:
    services = yaml.safe_load((FOLDER / 'compose.yaml').read_text())['services']
    assert set(services) == {'perception', 'perception_cuda'}
    arguments = {rest.partition('=')[0] for word, rest in instructions() if word == 'ARG'}
    for service in services.values():
        build = service['build']
        assert (FOLDER / build['context'] / build['dockerfile']).is_file()
        assert set(build.get('args', {})) <= arguments
        program, launch, package, file, *given = service['command']
        assert (program, launch, package) == ('ros2', 'launch', 'hydranet_ros')
        assert (CHECKOUT / 'launch' / file).is_file()
        assert {text.partition(':=')[0] for text in given} <= set(LAUNCH_ARGUMENTS)
