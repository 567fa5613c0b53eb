# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The exception whose message is meant for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import sys


class HydranetError(Exception):
    """
    A fault that the user can fix.

    Its text is one sentence that names the cause and says what to do. Commands print it and exit
    non-zero without a traceback; the node logs it and keeps running.
    """


@contextmanager
def naming_write_faults(path: Path) -> Iterator[None]:
    """Turn an OSError while writing a file into a HydranetError that names the file."""
    try:
        yield
    except OSError as error:
        raise HydranetError(f'{path} cannot be written: {error.strerror}.') from error


def missing_package(error: ImportError) -> HydranetError:
    """Return an error that says what to do about a package that cannot be imported."""
    name = (error.name or 'a package').partition('.')[0]
    if not isinstance(error, ModuleNotFoundError):
        numpy = sys.modules.get('numpy')
        seen = f'NumPy {numpy.__version__} in {Path(str(numpy.__file__)).parent}' if numpy else ''
        return HydranetError(
            f'{sys.executable} cannot import {name} ({error}; {seen or "without NumPy"}): if '
            f'{name} was built for another version of NumPy, install that version (README, quick '
            'start).'
        )
    if name in ('rclpy', 'builtin_interfaces') or name.endswith('_msgs'):
        return HydranetError(f'{sys.executable} finds no {name}: source the setup.bash of ROS 2.')
    wheel = {'cv2': 'opencv-python-headless', 'yaml': 'PyYAML'}.get(name, name)
    return HydranetError(
        f'{sys.executable} has no package {name}: install it (pip install {wheel}), or, if it is '
        'in a virtual environment, activate the environment and build again with python -m colcon '
        'build.'
    )
