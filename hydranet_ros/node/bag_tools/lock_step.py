# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Lock-step playback: an image is played after the replies to the previous image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import threading
import time

from rclpy.node import Node

from hydranet_ros.messages.stamps import read_stamp
from hydranet_ros.node.bag_tools.bag_process import matching_qos, message_class

_DEPTH = 10
# The perception node subscribes as best effort: a lost image must be sent again.
_RESEND = 3.0  # s


class LockStep:
    """
    Track which replies to an image have arrived.

    ``replies`` are absolute topics; a reply is a message on one of them whose
    header has the stamp of the image. ``timeout``
    is in seconds per image; ``unanswered`` counts images whose replies did not all arrive in time.
    Another thread must spin the node.
    """

    def __init__(self, node: Node, replies: Sequence[str], timeout: float) -> None:
        self._node = node
        self._replies = tuple(replies)
        self._timeout = timeout
        self._connected: set[str] = set()
        self._changed = threading.Condition()
        self._stamp = -1
        self._missing: set[str] = set()
        self.unanswered = 0

    def connect(self) -> tuple[str, ...]:
        """Subscribe to the reply topics that have a publisher; return those that have none."""
        types = dict(self._node.get_topic_names_and_types())
        for topic in self._replies:
            if topic in self._connected:
                continue
            publishers = self._node.get_publishers_info_by_topic(topic)
            if not publishers:
                continue
            kind = message_class(types[topic][0]) if topic in types else None
            if kind is not None:
                qos = matching_qos(publishers, _DEPTH)
                self._node.create_subscription(kind, topic, self._callback(topic), qos, raw=True)
                self._connected.add(topic)
        return tuple(topic for topic in self._replies if topic not in self._connected)

    def exchange(self, stamp: int, send: Callable[[], None], stop: threading.Event) -> bool:
        """
        Send an image and wait for its replies; return whether all arrived.

        ``send`` is repeated every few seconds until all have replied. ``stop`` ends the wait.
        """
        with self._changed:
            self._stamp, self._missing = stamp, set(self._replies)
        deadline = time.monotonic() + self._timeout
        resend = 0.0
        while not stop.is_set():
            now = time.monotonic()
            if now >= deadline:
                break
            if now >= resend:
                send()
                resend = now + _RESEND
            with self._changed:
                if self._changed.wait_for(lambda: not self._missing, timeout=0.1):
                    return True
        if not stop.is_set():
            self.unanswered += 1
            names = ', '.join(sorted(self._missing))
            self._node.get_logger().warning(
                f'There was no reply to the image of stamp {stamp} on {names} within '
                f'{self._timeout:g} s.'
            )
        return False

    def _callback(self, topic: str) -> Callable[[bytes], None]:
        def answered(data: bytes) -> None:
            with self._changed:
                if read_stamp(data) == self._stamp:
                    self._missing.discard(topic)
                    self._changed.notify_all()

        return answered
