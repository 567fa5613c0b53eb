# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What all processes of the package have in common."""

from __future__ import annotations

from importlib import import_module
import inspect
import os
import subprocess
import sys

import pytest

from hydranet_ros.launching.process_specs import EXECUTABLES, FASTDDS_VARIABLES
from hydranet_ros.resources import config_path

PROGRAM = """
import os
from hydranet_ros.node.process import run_process
run_process('test', lambda stop: print(os.environ['FASTDDS_DEFAULT_PROFILES_FILE']))
"""


@pytest.mark.parametrize('given', [None, '/mine.xml'])
def test_images_have_the_fast_dds_profile(given: str | None) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in FASTDDS_VARIABLES}
    if given is not None:
        environment[FASTDDS_VARIABLES[0]] = given
    program = [sys.executable, '-c', PROGRAM]
    printed = subprocess.run(program, env=environment, check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == (given or str(config_path('fastdds_images.xml')))


@pytest.mark.parametrize('executable', EXECUTABLES)
def test_every_executable_is_such_a_process(executable: str) -> None:
    module = import_module(EXECUTABLES[executable])
    assert 'run_process(' in inspect.getsource(module.main)
