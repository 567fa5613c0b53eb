# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Differences between ROS 2 distributions, in one place: Humble, Jazzy, Kilted and later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.executors import Executor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

__all__ = ['SubscriptionEventCallbacks', 'UnsupportedEventTypeError', 'spin_once']


def spin_once(executor: Executor, node: Node, timeout: float) -> None:
    """
    Run one callback of a lifecycle node, if one is ready within ``timeout`` seconds.

    If the state does not allow a transition, later distributions refuse it, but Humble raises an
    error that would end the process; this function logs the error instead.
    """
    try:
        executor.spin_once(timeout_sec=timeout)
    except rclpy_implementation.RCLError as error:
        node.get_logger().error(str(error))


def before_parameters_are_set(
    node: Node, callback: Callable[[list[Parameter]], list[Parameter]]
) -> None:
    """Let a callback change requested parameter values before they are set; no-op on Humble."""
    if hasattr(node, 'add_pre_set_parameters_callback'):
        node.add_pre_set_parameters_callback(callback)


def told_when_received(
    callback: Callable[[bytes, Mapping[str, int]], None],
) -> Callable[..., None]:
    """Return a subscription callback that also gets the message info, which is empty on Humble."""
    if hasattr(Subscription, 'CallbackType'):
        return callback

    def take(message: Any) -> None:
        callback(message, {})

    return take
