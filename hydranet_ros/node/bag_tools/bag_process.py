# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Code shared by the bag tools: parameters, topic names, message classes, receiving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
import time
from typing import Any, Protocol

from builtin_interfaces.msg import Time
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from std_msgs.msg import Header

from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.node.given_parameters import declare_parameter, warn_about_unknown_parameters

ParameterTable = Mapping[str, tuple[Any, str]]
"""
Maps names to defaults and descriptions. The default `Parameter.Type.STRING_ARRAY` stands for an
empty list of strings.
"""


LOOK_PERIOD = 0.1
"""Seconds between checks for new topics."""
DRAIN_LIMIT = 5.0
"""Longest time in seconds to handle messages that had arrived before the end."""
IDLE_ROUNDS = 5
"""Number of consecutive executor calls without a message that show that none is waiting."""


class Receiver(Protocol):
    """A node that receives topics, including ones that appear later."""

    @property
    def received(self) -> int:
        """Return the number of messages received."""
        ...

    def subscribe_to_new_topics(self) -> None:
        """Subscribe to wanted topics that have appeared since the last call."""
        ...

    def idle(self, seconds: float) -> None:
        """Add to the time without messages; called only if no message is waiting."""
        ...


def receive(
    receiver: Receiver, executor: SingleThreadedExecutor, is_over: Callable[[], bool]
) -> None:
    """Receive messages until ``is_over()``, then handle those that have already arrived."""
    look = 0.0
    while not is_over():
        if time.monotonic() >= look:
            receiver.subscribe_to_new_topics()
            look = time.monotonic() + LOOK_PERIOD
        before, began = receiver.received, time.monotonic()
        executor.spin_once(timeout_sec=LOOK_PERIOD)
        if receiver.received == before:
            receiver.idle(time.monotonic() - began)
    deadline = time.monotonic() + DRAIN_LIMIT
    idle = 0
    while idle < IDLE_ROUNDS and time.monotonic() < deadline:
        before = receiver.received
        executor.spin_once(timeout_sec=0)
        idle = idle + 1 if receiver.received == before else 0


def matching_qos(publishers: Sequence[TopicEndpointInfo], depth: int) -> QoSProfile:
    """Return the strictest quality of service that all publishers of a topic offer."""
    offered = [info.qos_profile for info in publishers]
    qos = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
    if all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in offered):
        qos.reliability = ReliabilityPolicy.RELIABLE
    if all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in offered):
        qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return qos


def declare_parameters(node: Node, table: ParameterTable) -> dict[str, Any]:
    """
    Declare read-only parameters and return their values; lists become tuples.

    Raises HydranetError if a given value has the wrong type.
    """
    values = {}
    for name, (default, description) in table.items():
        descriptor = ParameterDescriptor(description=description, read_only=True)
        try:
            value = declare_parameter(node, name, default, descriptor)
        except InvalidParameterTypeException as error:
            raise HydranetError(f'The parameter {name!r} has the wrong type: {error}') from error
        values[name] = tuple(value or ()) if default is Parameter.Type.STRING_ARRAY else value
    warn_about_unknown_parameters(node, list(table))
    return values


def required(values: Mapping[str, Any], name: str) -> str:
    """Return a required parameter; raises HydranetError if it is not set."""
    if not values[name]:
        raise HydranetError(
            f'The parameter {name!r} is missing: set it with --ros-args -p {name}:=….'
        )
    return str(values[name])


def absolute_names(node: Node, names: Sequence[str]) -> tuple[str, ...]:
    """Return topic names with the node's namespace and remappings applied."""
    return tuple(node.resolve_topic_name(name) for name in names)


def message_class(message_type: str) -> Any | None:
    """Return the class of a message type, None if its package is not installed."""
    package, _, name = message_type.partition('/msg/')
    try:
        return getattr(import_module(f'{package}.msg'), name, None)
    except ImportError:
        return None


def stamp_header(stamp: int) -> Header:
    """Return the reply to an image: a header with the image's stamp, given in nanoseconds."""
    seconds, nanoseconds = divmod(stamp, NANOSECONDS)
    return Header(stamp=Time(sec=seconds, nanosec=nanoseconds))


def markdown_table(table: ParameterTable) -> str:
    """Return a table of parameters for docs/reference/bags.md."""
    rows = ['| Parameter | Default | Meaning |', '|---|---|---|']
    for name, (default, description) in table.items():
        shown = '[]' if default is Parameter.Type.STRING_ARRAY else str(default).lower()
        rows.append(f'| `{name}` | {shown and f"`{shown}`"} | {description} |')
    return '\n'.join(rows)
