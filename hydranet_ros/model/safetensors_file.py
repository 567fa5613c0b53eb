# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Read .safetensors files with NumPy alone: rosdep cannot install the package safetensors.

The format: eight bytes with the length of a JSON header, the header, the data
(https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

_DTYPES = {
    **{'F16': '<f2', 'F32': '<f4', 'F64': '<f8'},
    **{'I8': 'i1', 'I16': '<i2', 'I32': '<i4', 'I64': '<i8', 'U8': 'u1', 'BOOL': '?'},
}


def read_safetensors(content: bytes) -> tuple[dict[str, str], dict[str, NDArray[np.float32]]]:
    """
    Return the metadata and the arrays of a file.

    Raises ValueError if the content is truncated, is not in this format, or has a data type
    that NumPy lacks.
    """
    start = 8 + int.from_bytes(content[:8], 'little')
    if not 8 <= start <= len(content):
        raise ValueError('the header is incomplete')
    data = content[start:]
    arrays, used = {}, 0
    try:
        header = json.loads(content[8:start])
        metadata = dict(header.pop('__metadata__', {}))
        for key, entry in header.items():
            begin, end = entry['data_offsets']
            array = np.frombuffer(data[begin:end], _DTYPES[entry['dtype']])
            with np.errstate(over='ignore'):  # values beyond float32 become infinite
                arrays[key] = array.reshape(entry['shape']).astype(np.float32)
            used += end - begin
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f'{type(error).__name__}: {error}') from error
    if used != len(data):
        raise ValueError(f'it has {len(data)} bytes of data instead of {used}')
    return metadata, arrays
