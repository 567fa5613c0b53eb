# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Which of several runtimes ``auto`` takes: the one that is fastest on this machine.

Measured once for a kind of model on a machine and written to the cache, so that every process
takes the same one from then on.
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
"""Environment variable: the runtime that ``auto`` takes, unmeasured, if it can run the model."""
ROUNDS = 5
MARGIN = 0.9
"""Share of the preferred runtime's time under which another one is taken: noise is not enough."""


def choose(
    names: Sequence[str],
    open_one: Callable[[str], Backend],
    model: str,
    size: tuple[int, int],
) -> str:
    """
    Return the runtime to take.

    Parameters
    ----------
    names
        Those that can run the model, the preferred one first.
    open_one
        Opens the model in a runtime; may fail after all.
    model
        What the time depends on: tasks, classes, device, precision.
    size
        Height and width of the image that is predicted to measure.

    """
    directory = cache_directory()
    if len(names) == 1 or directory is None:
        return names[0]
    facts = hashlib.sha256(repr((sorted(machine().items()), tuple(names), model)).encode())
    verdict = directory / f'fastest-{facts.hexdigest()[:32]}.txt'
    with suppress(OSError):
        known = verdict.read_text()
        if known in names:
            verdict.touch()  # used again: the last to be removed
            return known
    fastest = _measure(names, open_one, size)
    with suppress(OSError):
        fresh = verdict.with_suffix(f'.{os.getpid()}')
        fresh.write_text(fastest)
        fresh.replace(verdict)
    return fastest


def named_by_environment() -> str | None:
    """Return the runtime that the environment names, None if it names none."""
    return os.environ.get(VARIABLE) or None


def _measure(
    names: Sequence[str], open_one: Callable[[str], Backend], size: tuple[int, int]
) -> str:
    """Let the runtimes predict in turns; the preferred one stays unless another is well ahead."""
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    backends: dict[str, Backend] = {}
    with ExitStack() as stack:
        for turn in range(1 + ROUNDS):
            for name in tuple(seconds):
                # A runtime that is broken here is out of the race, whatever it raises: the
                # others must not fall with it.
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
                if turn:  # the first one compiles
                    seconds[name].append(time.perf_counter() - begin)
    if not seconds:
        return names[0]  # which then says what is wrong
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    preferred = next(iter(medians))
    best = min(medians, key=lambda name: medians[name])
    return best if medians[best] < MARGIN * medians[preferred] else preferred
