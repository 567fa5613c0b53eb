# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Keep the C library from handing freed memory back to the system between training steps."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_TOP_PAD_BYTES = 256 << 20


def keep_freed_memory() -> bool:
    """
    Let glibc reuse large blocks instead of unmapping and mapping them for each tensor.

    A step on the CPU allocates gigabytes; page faults take a third to a half of its time
    otherwise (docs/training.md has the figures). Affects this process and those forked from it.

    Returns
    -------
    bool
        Whether the C library took the settings; False where it is not glibc.

    """
    if not sys.platform.startswith('linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    settings = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, ctypes.c_int(2**31 - 1).value),
        (_M_TOP_PAD, _TOP_PAD_BYTES),
    )
    taken = [mallopt(option, value) == 1 for option, value in settings]
    return all(taken)
