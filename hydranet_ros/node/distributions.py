# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What differs between ROS 2 distributions, in one place: Humble, Jazzy, Kilted and later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.executors import Executor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

__all__ = ['SubscriptionEventCallbacks', 'UnsupportedEventTypeError', 'spin_once']


def spin_once(executor: Executor, node: Node, timeout: float) -> None:
    """
    Run a callback of a lifecycle node, if one is ready.

    A request for a transition that the state does not allow is refused by later distributions;
    in Humble it is raised here, and would end the process.

    Parameters
    ----------
    executor
        To which the node was added.
    node
        Whose log tells of it.
    timeout
        Longest wait for a callback, in seconds.

    """
    try:
        executor.spin_once(timeout_sec=timeout)
    except rclpy_implementation.RCLError as error:
        node.get_logger().error(str(error))


def told_when_received(
    callback: Callable[[bytes, Mapping[str, int]], None],
) -> Callable[..., None]:
    """
    Return a subscription's callback that is told when messages were received, where it can be.

    Parameters
    ----------
    callback
        Takes a message and what the middleware tells of it, in Humble nothing.

    """
    if hasattr(Subscription, 'CallbackType'):
        return callback

    def take(message: Any) -> None:
        callback(message, {})

    return take
