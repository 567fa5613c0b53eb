# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The two threads that process frames, and the data they share.

The perception thread takes the newest image and runs the network. The publication thread builds
and publishes the outputs of the previous frame. The executor's thread remains free for parameters,
lifecycle and diagnostics. The diagnostics read objects of the other two threads: `Statistics` and
`CameraInfoBuffer`, which have locks, and `FrameProcessor.input_facts` and
`ImageInput.incompatible_qos`, which are replaced as a whole. The executor's thread replaces the
predictor inside `FrameProcessor.between_frames`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
import threading
import time
from typing import Generic, TypeVar

from hydranet_ros.node.perception.image_input import ImageInput
from hydranet_ros.node.perception.polling_subscription import Arrival

Item = TypeVar('Item')

RETRY_PERIOD = 0.5
"""Seconds that a worker waits after an error before it tries again to take an item."""


class FrameThreads(Generic[Item]):
    """
    Run frames through both threads, from the input's newest image to ``publish``.

    The first thread calls ``perceive`` with each image; the second calls ``publish`` with each
    result that is not None. ``on_error`` is called in the thread where an error occurred.
    """

    def __init__(
        self,
        image_input: ImageInput,
        perceive: Callable[[Arrival], Item | None],
        publish: Callable[[Item], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._input = image_input
        self._perceive = perceive
        self._finished: Handover[Item] = Handover()
        self._perception = Worker(self._next_image, self._handle_image, on_error, 'perception')
        self._publication = Worker(self._finished.take, publish, on_error, 'publication')
        self._started = ExitStack()

    def start(self) -> None:
        """Subscribe and start both threads."""
        with ExitStack() as stack:
            self._input.subscribe()
            stack.callback(self._input.unsubscribe)
            self._publication.start()
            stack.callback(self._publication.join)
            stack.callback(self._finished.close)
            self._perception.start()
            stack.callback(self._perception.join)
            stack.callback(self._input.stop_waiting)
            self._started = stack.pop_all()

    def stop(self) -> None:
        """Finish the frames in both threads, end the threads and unsubscribe."""
        self._started.close()

    def _next_image(self) -> Arrival | None:
        # An image taken before the publication thread is free would be outdated once published.
        self._finished.wait_until_free()
        return self._input.wait_for_image()

    def _handle_image(self, arrival: Arrival) -> None:
        item = self._perceive(arrival)
        if item is not None:
            self._finished.put(item)


class Worker(Generic[Item]):
    """
    Handle items one after the other in a thread.

    ``take`` waits for the next item; None ends the thread. An exception of ``take`` or ``handle``
    is passed to ``on_error``; then the worker continues with the next item.
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
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended, which it does when ``take`` returns None."""
        self._thread.join()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._handle(item)
            # One bad frame must not stop the node.
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
        with suppress(Exception):  # an error in the error handler must not end the thread
            self._on_error(error)


class Handover(Generic[Item]):
    """
    Pass items from one thread to another: holds at most one item and drops none.

    All methods are thread-safe.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._closed = False

    def wait_until_free(self) -> None:
        """Wait until no item is held, so that `put` does not block."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is None or self._closed)

    def put(self, item: Item) -> None:
        """Wait until the previous item is taken, then hold this one; after `close`, discard it."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is None or self._closed)
            if not self._closed:
                self._item = item
                self._changed.notify_all()

    def take(self) -> Item | None:
        """Wait for the next item and return it; after `close` and the last item, return None."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Make `take` return None once the held item has been taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
