# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Choose the fastest of several runtimes, for the backend ``auto``.

Runtimes are measured once per kind of model and machine. The result is cached, so that all
processes use the same runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
import hashlib
import os
import time
import warnings

import numpy as np

from hydranet_ros.runtime.backends.base import Backend
from hydranet_ros.runtime.cache import cache_directory
from hydranet_ros.runtime.machine import machine

VARIABLE = 'HYDRANET_BACKEND'
"""Environment variable that names the runtime for ``auto``, so that no runtime is measured."""
ROUNDS = 5
MARGIN = 0.9
"""A faster runtime is used if it takes less than this share of the preferred runtime's time."""


def choose(
    names: Sequence[str],
    open_one: Callable[[str], Backend],
    model: str,
    size: tuple[int, int],
) -> str:
    """
    Return the name of the runtime to use.

    Parameters
    ----------
    names
        Runtimes that can run the model, the preferred runtime first.
    open_one
        Opens the model in a runtime; may fail.
    model
        Describes everything that the speed depends on: tasks, classes, device, precision.
    size
        Height and width of the measured image.

    """
    directory = cache_directory()
    if len(names) == 1 or directory is None:
        return names[0]
    facts = hashlib.sha256(repr((sorted(machine().items()), tuple(names), model)).encode())
    verdict = directory / f'fastest-{facts.hexdigest()[:32]}.txt'
    with suppress(OSError):
        known = verdict.read_text()
        if known in names:
            verdict.touch()  # mark as recently used
            return known
    fastest = _measure(names, open_one, size)
    with suppress(OSError):
        fresh = verdict.with_suffix(f'.{os.getpid()}')
        fresh.write_text(fastest)
        fresh.replace(verdict)
    return fastest


def _measure(
    names: Sequence[str], open_one: Callable[[str], Backend], size: tuple[int, int]
) -> str:
    """Time the runtimes alternately; prefer the first unless another is clearly faster."""
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    backends: dict[str, Backend] = {}
    with ExitStack() as stack:
        for turn in range(1 + ROUNDS):
            for name in tuple(seconds):
                # Skip a runtime that does not work here, whatever it raises.
                try:
                    if name not in backends:
                        backends[name] = open_one(name)
                        stack.callback(backends[name].close)
                    begin = time.perf_counter()
                    backends[name].run(picture, 1.0)
                except Exception as error:
                    warnings.warn(f'Backend {name!r} cannot be used: {error}', stacklevel=2)
                    del seconds[name]
                    continue
                if turn:  # the first turn includes compilation
                    seconds[name].append(time.perf_counter() - begin)
    if not seconds:
        return names[0]  # none works: the caller opens this one, which reports the error
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    preferred = next(iter(medians))
    best = min(medians, key=lambda name: medians[name])
    return best if medians[best] < MARGIN * medians[preferred] else preferred
