# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Subscriptions without a callback: messages stay in the middleware until they are taken.

An executor would copy every message into Python, even if a newer one has already arrived. Here the
middleware keeps the newest messages and drops older ones without running Python. The node's
executor must respect callback groups; all do except the experimental ``EventsExecutor``.
:func:`rclpy.wait_for_message` waits in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import time
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

_FOREVER = -1
_NANOSECONDS = 1e9


@dataclass(frozen=True)
class Arrival:
    """A received message."""

    data: Any  # the message; its serialised bytes if the subscription is raw
    moment: float  # of arrival at the middleware, in seconds of ``time.monotonic``
    missed: int = 0
    """
    Number of messages that were dropped or lost since the last message taken from the same
    publisher; 0 if messages are not numbered (Humble, Cyclone DDS).
    """


class PollingSubscription:
    """
    A subscription whose messages stay in the middleware until :meth:`take`.

    The depth of ``qos`` is the number of messages kept. With ``raw``, messages are taken
    serialised. ``options`` are passed to ``Node.create_subscription``.

    Events (incompatible quality of service, lost messages) are handled by a :class:`Waiter` while
    it waits. They would wake an executor endlessly, because Fast DDS signals events and unread
    messages with the same condition.
    """

    def __init__(
        self,
        node: Node,
        message_type: type,
        topic: str,
        qos: QoSProfile,
        *,
        raw: bool = False,
        **options: Any,
    ) -> None:
        self._node = node
        self.subscription = node.create_subscription(
            message_type,
            topic,
            _never_called,
            qos,
            callback_group=_Withheld(),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            raw=raw,
            **options,
        )
        self._last_numbers: dict[bytes, int] = {}

    def take_newest(self) -> Arrival | None:
        """Return the newest message, or None; older messages are discarded and count as missed."""
        newest = self.take()
        while newest is not None and (newer := self.take()) is not None:
            newest = replace(newer, missed=newest.missed + 1 + newer.missed)
        return newest

    def take(self) -> Arrival | None:
        """Return the oldest message, or None if there is none."""
        subscription = self.subscription
        taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        if taken is None:
            return None
        data, info = taken
        received = info.get('received_timestamp') or time.time_ns()
        age = max(0.0, (time.time_ns() - received) / _NANOSECONDS)
        return Arrival(data, time.monotonic() - age, self._missed(info))

    def publishers(self) -> int:
        """Return the number of publishers on the topic."""
        return self._node.count_publishers(self.subscription.topic)

    def destroy(self) -> None:
        """Unsubscribe; no thread may be taking messages."""
        self._node.destroy_subscription(self.subscription)

    def _missed(self, info: dict[str, Any]) -> int:
        """Return how many messages of the same publisher are missing before a taken message."""
        number = info.get('publication_sequence_number')
        if number is None:
            return 0
        gid = info.get('publisher_gid')
        if gid is None and self.publishers() > 1:
            # Jazzy does not say which of several publishers a number belongs to.
            self._last_numbers.clear()
            return 0
        publisher = gid['data'] if gid else b''
        last = self._last_numbers.get(publisher)
        self._last_numbers[publisher] = number
        return 0 if last is None else max(0, number - last - 1)


class Waiter:
    """Wait for a polling subscription in the current thread, and handle its events."""

    def __init__(self, node: Node, subscription: PollingSubscription) -> None:
        self._subscription = subscription.subscription
        self._stopped = False
        self._wake = GuardCondition(None, None, context=node.context)
        events = len(self._subscription.event_handlers)
        self._wait_set = rclpy_implementation.WaitSet(1, 1, 0, 0, 0, events, node.context.handle)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a message; False after :meth:`stop` or ``timeout`` seconds (None: no limit)."""
        longest = _FOREVER if timeout is None else round(timeout * _NANOSECONDS)
        while not self._stopped:
            self._wait_set.clear_entities()
            self._wait_set.add_subscription(self._subscription.handle)
            self._wait_set.add_guard_condition(self._wake.handle)
            for handler in self._subscription.event_handlers:
                handler.add_to_wait_set(self._wait_set)
            self._wait_set.wait(longest)
            for handler in self._subscription.event_handlers:
                event = handler.take_data() if handler.is_ready(self._wait_set) else None
                if event is not None:
                    handler.callback(event)
            if self._wait_set.get_ready_entities('subscription'):
                return not self._stopped
            if timeout is not None:
                break
        return False

    def stop(self) -> None:
        """Make current and future calls of :meth:`wait` return False; thread-safe."""
        self._stopped = True
        self._wake.trigger()

    def destroy(self) -> None:
        """Free the wait set; no thread may be waiting."""
        self._wait_set.destroy_when_not_in_use()
        self._wake.destroy()


class _Withheld(CallbackGroup):
    """Keeps a subscription away from the node's executor."""

    def can_execute(self, entity: Any) -> bool:
        """Keep the executor from waiting for this entity."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Do nothing; the executor never calls this."""
        return True

    def ending_execution(self, entity: Any) -> None:
        """Do nothing; the executor never calls this."""


def _never_called(_message: Any) -> None:
    raise AssertionError('an executor took a message of a polling subscription')
