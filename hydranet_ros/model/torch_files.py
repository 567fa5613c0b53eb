# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Files that torch saved: the one place that unpickles anything.

It does so with ``weights_only=True``: a file can hold tensors and plain containers, and no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import noted


def read_torch_file(path: Path, meaning: str) -> Any:
    """
    Read what torch saved, onto the CPU.

    Parameters
    ----------
    path
        The file.
    meaning
        What it should be, for the error message: "no MEANING".

    Raises
    ------
    HydranetError
        If it is missing, damaged, or holds more than tensors and plain containers.

    """
    import torch

    try:
        return torch.load(noted(path), map_location='cpu', weights_only=True)
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror or error}.') from error
    except Exception as error:
        # What the restricted unpickler raises on bytes that are no pickle depends on the bytes.
        raise HydranetError(f'{path} is damaged, or no {meaning}.') from error
