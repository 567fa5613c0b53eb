# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Stop a training between two steps when the user or the system asks it to."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch

from hydranet_ros.training.losses import Reduction

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """
    Notes SIGINT and SIGTERM while it is entered; a second one acts as it would otherwise.

    Parameters
    ----------
    reduction
        The processes that have to stop at the same step.

    """

    def __init__(self, reduction: Reduction) -> None:
        self._reduction = reduction
        self._received = False
        self._previous: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Return whether any of the processes was asked to stop."""
        return bool(self._reduction.max(torch.tensor(float(self._received))))

    def __enter__(self) -> StopRequest:
        """Start to listen; signals can be had in the main thread alone."""
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        self._give_back()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._received = True
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
