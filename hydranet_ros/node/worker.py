# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The threads that work on frames while the executor goes on, and what they hand each other."""

from __future__ import annotations

from collections.abc import Callable
import queue
import threading
from typing import Generic, TypeVar

Item = TypeVar('Item')


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
        Called with what `handle` raised; the worker goes on with the next item.
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
        while (item := self._take()) is not None:
            try:
                self._handle(item)
            # Handed on: one bad frame must not silence the node.
            except Exception as error:  # noqa: PERF203
                self._on_error(error)


class Handover(Generic[Item]):
    """
    Pass items from one worker to the next, none lost and at most one waiting.

    A worker that is ahead waits, so that nothing piles up between the two.
    """

    def __init__(self) -> None:
        self._items: queue.Queue[Item | None] = queue.Queue(maxsize=1)

    def put(self, item: Item) -> None:
        """Leave an item, as soon as the one before was taken."""
        self._items.put(item)

    def take(self) -> Item | None:
        """Wait for the next item and return it; None after :meth:`close`."""
        return self._items.get()

    def close(self) -> None:
        """Let `take` return None behind the items that were put."""
        self._items.put(None)
