# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Stop a training after the current step on SIGINT or SIGTERM."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import torch

from hydranet_ros.training.distributed import Reduction

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Context manager that records SIGINT and SIGTERM; a second signal has its usual effect."""

    def __init__(self, reduction: Reduction) -> None:
        self._reduction = reduction
        self._received = False
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Return whether any process received a signal; all processes get the same answer."""
        return bool(self._reduction.max(torch.tensor(float(self._received))))

    def __enter__(self) -> StopRequest:
        """Install the signal handlers, which Python allows in the main thread only."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._record) for number in _SIGNALS}
        return self

    def __exit__(self, *_exception: object) -> None:
        """Restore the previous handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _record(self, _number: int, _frame: FrameType | None) -> None:
        self._received = True
        self.__exit__()  # a second signal has its usual effect
