# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The threads that work on frames while the executor goes on, and what they hand each other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import threading
import time
from typing import Generic, TypeVar

Item = TypeVar('Item')

RETRY_PERIOD = 0.5
"""Seconds until a worker tries to take again what it could not."""


class Worker(Generic[Item]):
    """
    Handle items one after the other in a thread of its own.

    Parameters
    ----------
    take
        Waits for the next item and returns it; None ends the thread.
    handle
        Called with each item.
    on_error
        Called with what `take` or `handle` raised; the worker goes on with the next item.
    name
        Of the thread.

    """

    def __init__(
        self,
        take: Callable[[], Item | None],
        handle: Callable[[Item], None],
        on_error: Callable[[Exception], None],
        name: str,
    ) -> None:
        self._take = take
        self._handle = handle
        self._on_error = on_error
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def join(self) -> None:
        """Return when the thread has ended, which is once `take` has returned None."""
        self._thread.join()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._handle(item)
            # Handed on: one bad frame must not silence the node.
            except Exception as error:  # noqa: PERF203
                self._tell(error)

    def _next(self) -> Item | None:
        while True:
            try:
                return self._take()
            except Exception as error:  # noqa: PERF203
                self._tell(error)
                time.sleep(RETRY_PERIOD)

    def _tell(self, error: Exception) -> None:
        with suppress(Exception):  # whoever is told must not end the thread either
            self._on_error(error)


class Handover(Generic[Item]):
    """
    Pass items from one worker to the next, none lost and at most one waiting.

    All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._closed = False

    def wait_until_free(self) -> None:
        """Return once no item waits, so that what is begun now will not be old when it is put."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is None or self._closed)

    def put(self, item: Item) -> None:
        """Leave an item, as soon as the one before was taken; after `close` it is discarded."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is None or self._closed)
            if not self._closed:
                self._item = item
                self._changed.notify_all()

    def take(self) -> Item | None:
        """Wait for the next item and return it; None after `close` and the last one."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Let `take` return None behind an item that waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
