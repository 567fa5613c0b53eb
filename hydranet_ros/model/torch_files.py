# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Read files written by ``torch.save``; no other module unpickles anything.

With ``weights_only=True``, a file can hold tensors and plain containers, but no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import noted


def read_torch_file(path: Path, meaning: str) -> Any:
    """
    Read a file written by ``torch.save`` into CPU memory.

    ``meaning`` says what the file should be, for the error message "not a MEANING".
    """
    import torch

    try:
        return torch.load(noted(path), map_location='cpu', weights_only=True)
    except OSError as error:
        raise HydranetError(f'Cannot read {path}: {error.strerror or error}.') from error
    except Exception as error:
        # Damaged bytes make the restricted unpickler raise almost anything.
        raise HydranetError(f'{path} is damaged or not a {meaning}.') from error
