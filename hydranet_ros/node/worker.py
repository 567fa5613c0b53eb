# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The thread that works on the newest frame while the executor goes on receiving."""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Generic

from hydranet_ros.node.mailbox import Item, Mailbox


class Worker(Generic[Item]):
    """
    Handle the newest item of a mailbox, one at a time, in a thread of its own.

    Parameters
    ----------
    handle
        Called with each item that is taken.
    on_error
        Called with what `handle` raised; the worker goes on with the next item.
    name
        Of the thread.

    """

    def __init__(
        self,
        handle: Callable[[Item], None],
        on_error: Callable[[Exception], None],
        name: str = 'worker',
    ) -> None:
        self._handle = handle
        self._on_error = on_error
        self.mailbox: Mailbox[Item] = Mailbox()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the item in hand, discard the one that waits, and return when all is quiet."""
        self.mailbox.close()
        self._thread.join()

    def _run(self) -> None:
        while (item := self.mailbox.take()) is not None:
            try:
                self._handle(item)
            # Handed on: one bad frame must not silence the node.
            except Exception as error:  # noqa: PERF203
                self._on_error(error)
