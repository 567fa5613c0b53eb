# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The exception whose message is meant for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HydranetError(Exception):
    """
    A fault that the user can fix.

    Its text is one sentence that names the cause and says what to do. Commands print it and exit
    non-zero without a traceback; the node logs it and keeps running.
    """


@contextmanager
def naming_write_faults(path: Path) -> Iterator[None]:
    """Turn an OSError on writing a file into a HydranetError that names it."""
    try:
        yield
    except OSError as error:
        raise HydranetError(f'{path} cannot be written: {error.strerror}.') from error
