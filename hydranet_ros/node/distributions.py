# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What differs between ROS 2 distributions, in one place: Humble, Jazzy, Kilted and later."""

from __future__ import annotations

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

__all__ = ['SubscriptionEventCallbacks', 'UnsupportedEventTypeError']
