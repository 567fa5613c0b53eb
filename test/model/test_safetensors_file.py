# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The reader agrees with the library, and refuses what is damaged."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from safetensors.numpy import save

from hydranet_ros.model.safetensors_file import read_safetensors

ARRAYS = {
    'weight': np.arange(6, dtype=np.float16).reshape(1, 2, 3),
    'bias': np.array([-1.5], np.float32),
    'scale': np.array(2.5, np.float64),
    'steps': np.array([7, 8]),
    'empty': np.zeros((0, 3), np.float32),
}
CONTENT = save(ARRAYS, {'name': 'Größe'})


def test_content_comes_back() -> None:
    metadata, arrays = read_safetensors(CONTENT)
    assert metadata == {'name': 'Größe'}
    assert arrays.keys() == ARRAYS.keys()
    for key, array in arrays.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, ARRAYS[key])


@given(st.integers(0, len(CONTENT) - 1))
def test_truncated_files_are_refused(length: int) -> None:
    with pytest.raises(ValueError):
        read_safetensors(CONTENT[:length])


@given(st.binary(max_size=64), st.integers(0, len(CONTENT) - 1))
def test_damaged_files_are_refused_or_read(damage: bytes, place: int) -> None:
    try:
        read_safetensors(CONTENT[:place] + damage + CONTENT[place + len(damage) :])
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    'header',
    [
        [],
        {'a': None},
        {'a': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 4]}},
        {'a': {'dtype': 'F32', 'shape': [1], 'data_offsets': [4, 8]}},
        {'a': {'dtype': 'BF16', 'shape': [2], 'data_offsets': [0, 4]}},
        {'a': {'dtype': 'F32', 'shape': [1], 'data_offsets': ['0', '4']}},
    ],
)
def test_wrong_headers_are_refused(header: object) -> None:
    text = json.dumps(header).encode()
    with pytest.raises(ValueError):
        read_safetensors(len(text).to_bytes(8, 'little') + text + bytes(4))
