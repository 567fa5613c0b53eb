# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Describe the machine of a measurement: processor, memory, libraries and versions."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
import platform

LIBRARIES = ('numpy', 'opencv-python-headless', 'torch', 'openvino', 'onnxruntime')
VECTOR_UNITS = (
    'avx2',
    'avx512f',
    'avx512_vnni',
    'avx512_bf16',
    'avx512_fp16',
    'amx_bf16',
    'amx_int8',
)
"""Flags of x86 processors that determine which precision is fast."""


def machine() -> dict[str, str]:
    """Return processor, cores, system, and library versions."""
    facts = {
        'processor': _processor(),
        'cores': str(len(os.sched_getaffinity(0))),
        'system': platform.platform(),
        'python': platform.python_version(),
    }
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    facts |= {library: installed[library] for library in LIBRARIES if library in installed}
    return facts


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(':', 1) for line in lines if ':' in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    name = facts.get('model name', platform.machine())
    flags = facts.get('flags', '').split()
    return f'{name} ({" ".join(flag for flag in VECTOR_UNITS if flag in flags)})'


def memory(entry: str) -> float | None:
    """Return a memory entry of this process's status in megabytes, e.g. ``VmHWM`` (peak)."""
    try:
        lines = Path('/proc/self/status').read_text().splitlines()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in lines if line.startswith(f'{entry}:')]
    return int(kilobytes[0]) / 1024 if kilobytes else None


def reset_peak_memory() -> float | None:
    """Reset the peak memory; return the memory in use, or None if not supported."""
    try:
        Path('/proc/self/clear_refs').write_text('5')
    except OSError:
        return None
    return memory('VmRSS')
