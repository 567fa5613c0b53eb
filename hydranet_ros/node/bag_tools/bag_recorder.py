# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Record topics into a rosbag2 without ``ros2 bag``.

``ros2 run hydranet_ros bag_recorder --ros-args -p bag:=PATH -p topics:="['/image']"`` records each
topic from its appearance until SIGINT, SIGTERM or the quiet timeout. Messages are stored as the
serialised bytes that arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import sys
import threading
import time

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy
from std_msgs.msg import Header

from hydranet_ros.bags.bag_files import BagWriter
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.frame_sync import Completeness
from hydranet_ros.messages.stamps import read_stamp
from hydranet_ros.node.bag_tools.bag_process import (
    absolute_names,
    declare_parameters,
    matching_qos,
    message_class,
    receive,
    required,
    stamp_header,
)
from hydranet_ros.node.distributions import told_when_received
from hydranet_ros.node.process import run_process

PARAMETERS = {
    'bag': ('', 'Folder to record into; it must not exist.'),
    'topics': (
        Parameter.Type.STRING_ARRAY,
        'Topics to record; if empty, all that have a message type of ROS 2 desktop.',
    ),
    'storage': ('mcap', 'Storage format: mcap or sqlite3.'),
    'quiet_timeout': (
        0.0,
        'End after this many seconds without a message other than diagnostics and logs, counted '
        'from the first message; 0 to end only on a signal.',
    ),
    'answer_topics': (
        Parameter.Type.STRING_ARRAY,
        'Recorded topics, whose messages have a header. When all have had a message with the same '
        'stamp, the stamp is published on ~/recorded; this topic exists once all are subscribed.',
    ),
}

QUEUE_DEPTH = 64  # messages that may wait while the disk is busy
# Topics that do not count as activity.
BACKGROUND_TOPICS = ('/diagnostics', '/parameter_events', '/rosout')


class BagRecorder(Node):
    """
    Write the messages of topics into a bag.

    When a frame's messages on all ``answer_topics`` are recorded, their stamp is published on
    ``~/recorded`` (std_msgs/Header); a player in lock-step waits for this reply. Raises
    HydranetError if the bag cannot be created or an answer topic is not among the recorded topics.
    """

    def __init__(self) -> None:
        super().__init__('bag_recorder')
        settings = declare_parameters(self, PARAMETERS)
        self._wanted = absolute_names(self, settings['topics'])
        self._answer_topics = absolute_names(self, settings['answer_topics'])
        for topic in self._answer_topics:
            if self._wanted and topic not in self._wanted:
                raise HydranetError(f'The answer topic {topic} is not among the topics to record.')
        self._complete = Completeness(self._answer_topics)
        self._answer: Publisher | None = None
        self._writer = BagWriter(required(settings, 'bag'), settings['storage'])
        self._quiet_timeout = settings['quiet_timeout']
        self._quiet: float | None = None  # seconds; None before the first message
        self._refused: set[str] = set()
        self.counts: dict[str, int] = {}

    def destroy_node(self) -> None:
        """Close the bag and leave the graph."""
        self._writer.close()
        super().destroy_node()

    @property
    def received(self) -> int:
        """Return the number of messages recorded."""
        return sum(self.counts.values())

    def is_over(self) -> bool:
        """Return whether the quiet timeout has passed."""
        if self._quiet is None or self._quiet_timeout <= 0:
            return False
        return self._quiet > self._quiet_timeout

    def idle(self, seconds: float) -> None:
        """Add to the time since the last message; time spent on writing to disk does not count."""
        if self._quiet is not None:
            self._quiet += seconds

    def subscribe_to_new_topics(self) -> None:
        """Record wanted topics that have appeared since the last call."""
        for name, types in self.get_topic_names_and_types():
            wanted = name in self._wanted if self._wanted else True
            if wanted and name not in self.counts and name not in self._refused:
                self._subscribe(name, types[0])
        if self._answer is None and self._answer_topics and self._is_ready_to_answer():
            # A player starts only when this publisher exists.
            self._answer = self.create_publisher(Header, '~/recorded', QUEUE_DEPTH)

    def _is_ready_to_answer(self) -> bool:
        return all(topic in self.counts for topic in self._answer_topics)

    def _subscribe(self, topic: str, message_type: str) -> None:
        """Record a topic, or log once why it is not recorded."""
        kind = message_class(message_type)
        publishers = self.get_publishers_info_by_topic(topic)
        if not publishers:
            return  # the QoS of its publishers is not known yet
        qos = matching_qos(publishers, QUEUE_DEPTH)
        latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        try:
            if kind is None:
                raise HydranetError(f'{message_type} is not installed.')
            self._writer.add_topic(topic, message_type, latched=latched)
        except HydranetError as error:
            self._refused.add(topic)
            self.get_logger().warning(f'Not recording {topic}: {error}')
            return
        self.counts[topic] = 0
        self.create_subscription(
            kind, topic, told_when_received(self._writing(topic)), qos, raw=True
        )
        self.get_logger().info(f'Recording {topic}.')

    def _writing(self, topic: str) -> Callable[[bytes, Mapping[str, int]], None]:
        """Return the callback that writes the messages of a topic."""

        def write(data: bytes, info: Mapping[str, int]) -> None:
            # The time of arrival, if the middleware provides it, else the time of this callback.
            received = info.get('received_timestamp') or time.time_ns()
            self._writer.write(topic, received, data)
            self.counts[topic] += 1
            if topic not in BACKGROUND_TOPICS:
                self._quiet = 0.0
            if topic in self._answer_topics:
                self._answer_to(topic, read_stamp(data))

        return write

    def _answer_to(self, topic: str, stamp: int) -> None:
        """Publish the stamp of a frame if this message completes it."""
        if self._complete.add(topic, stamp) and self._answer is not None:
            self._answer.publish(stamp_header(stamp))


def record_bag(stop: threading.Event) -> None:
    """Record into the bag that the parameters name, until stopped."""
    recorder = BagRecorder()
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    try:
        receive(recorder, executor, lambda: stop.is_set() or recorder.is_over())
        for topic, count in sorted(recorder.counts.items()):
            recorder.get_logger().info(f'Recorded {count} messages of {topic}.')
    finally:
        executor.shutdown()
        recorder.destroy_node()


def main() -> int:
    """Run the recorder as a process."""
    return run_process('bag_recorder', record_bag)


if __name__ == '__main__':
    sys.exit(main())
