# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A mailbox that holds the newest item only, so that a slow reader never works on old frames."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Mailbox(Generic[Item]):
    """
    Hand the newest item from one thread to another; older ones are dropped.

    All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._closed = False

    def put(self, item: Item) -> bool:
        """
        Leave an item; after `close` it is discarded.

        Returns
        -------
        Whether an older item, that nobody had taken, was dropped for it.

        """
        with self._condition:
            if self._closed:
                return False
            dropped = self._item is not None
            self._item = item
            self._condition.notify()
            return dropped

    def take(self, timeout: float | None = None) -> Item | None:
        """
        Take the newest item out, waiting for one if there is none.

        Parameters
        ----------
        timeout
            Longest wait in seconds; None waits until there is an item or the mailbox is closed.

        Returns
        -------
        The item, or None after the timeout or once the mailbox is closed.

        """
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Discard the waiting item and wake whoever waits; nothing is delivered any more."""
        with self._condition:
            self._closed = True
            self._item = None
            self._condition.notify_all()
