# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Play a rosbag2 without ``ros2 bag``: ``ros2 run hydranet_ros bag_player --ros-args -p bag:=PATH``.

The recorded bytes are published unchanged, at the recorded pace. Playback starts when the expected
subscribers have been discovered, so that the first message is not lost. In lock-step, an image is
published only after the replies to the previous image. The service ``~/pause`` (std_srvs/SetBool)
pauses and resumes.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
import sys
import threading
import time

from builtin_interfaces.msg import Time
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.bags.playback import belongings_first, Restamper, Stopwatch, Timeline
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp
from hydranet_ros.node.bag_tools.bag_process import (
    absolute_names,
    declare_parameters,
    message_class,
    required,
)
from hydranet_ros.node.bag_tools.lock_step import LockStep
from hydranet_ros.node.process import run_process

PARAMETERS = {
    'bag': ('', 'Bag folder, .mcap or .db3 file to play.'),
    'topics': (Parameter.Type.STRING_ARRAY, 'Topics to play; all if empty.'),
    'rate': (1.0, 'Playback rate, in recorded seconds per second.'),
    'start_offset': (0.0, 'Seconds of the recording to skip at the beginning.'),
    'loop': (False, 'Repeat until stopped.'),
    'restamp': (
        False,
        'Replace header stamps by the current time, so that ages are real.',
    ),
    'clock': (0.0, 'Publish the recorded time on /clock at this rate in Hz; 0 to not publish it.'),
    'wait_for': (
        Parameter.Type.STRING_ARRAY,
        'Start once each of these topics, or any topic if the list is empty, has wait_subscribers '
        'subscribers; a topic that is listed N times needs N times as many.',
    ),
    'wait_for_publishers': (
        Parameter.Type.STRING_ARRAY,
        'Also wait until each of these topics has a publisher.',
    ),
    'wait_subscribers': (1, 'Number of subscribers to wait for; 0 to start at once.'),
    'wait_timeout': (30.0, 'Seconds to wait for subscribers and publishers before giving up.'),
    'lock_step_image': ('', 'Topic of the images to play in lock-step; empty to play by time.'),
    'lock_step_replies': (
        Parameter.Type.STRING_ARRAY,
        'Topics of replies to an image: messages with a header that has the stamp of the image. '
        'The next image is played after a reply on each topic.',
    ),
    'lock_step_timeout': (10.0, 'Seconds to wait for replies before the next image is played.'),
}

QUEUE_DEPTH = 64
_POLL = 0.02  # s between checks of the number of subscribers
# The player discovers a subscriber shortly before the subscriber discovers the player; in between,
# best-effort messages are lost. A recorder checks for new topics only periodically.
_SETTLE = 0.5  # s for which all subscribers must have been matched before playback starts
_LONGEST_SLEEP = 0.1  # s, so that a pause takes effect soon
_FLUSH = 5.0  # s to wait until reliable subscribers have received the last messages


class BagPlayer(Node):
    """
    Publish the messages of a bag.

    Raises HydranetError if the bag cannot be read or a parameter is invalid.
    """

    def __init__(self) -> None:
        super().__init__('bag_player')
        self._settings = declare_parameters(self, PARAMETERS)
        self._reader = BagReader(required(self._settings, 'bag'))
        first = self._reader.start + round(self._settings['start_offset'] * NANOSECONDS)
        if self._settings['start_offset'] > self._reader.duration:
            raise HydranetError(
                "The parameter 'start_offset' is "
                f'{self._settings["start_offset"]:g} s, but {self._reader.path} is only '
                f'{self._reader.duration:.1f} s long.'
            )
        self._timeline = Timeline(first, self._settings['rate'])
        frequency = self._settings['clock']
        self._clock = self.create_publisher(Clock, '/clock', 1) if frequency > 0 else None
        self._clock_period = 1 / frequency if frequency > 0 else float('inf')
        self._with_header: set[str] = set()
        self._not_installed: set[str] = set()
        self._outlets = self._create_publishers()
        self._published = 0
        self._behind = 0.0
        self._watch = Stopwatch()
        self._lock_step = self._create_lock_step()
        self.create_service(SetBool, '~/pause', self._on_pause)

    def destroy_node(self) -> None:
        """Close the bag and leave the graph."""
        self._reader.close()
        super().destroy_node()

    def _create_publishers(self) -> dict[str, Publisher]:
        """Create a publisher for each topic to play, if its type is installed."""
        wanted = self._settings['topics'] or tuple(self._reader.topics)
        self._reader.check_topics(wanted)
        publishers = {}
        for name in wanted:
            topic = self._reader.topics[name]
            kind = message_class(topic.type)
            if kind is None:
                self.get_logger().warning(f'Not playing {name}: {topic.type} is not installed.')
                self._not_installed.add(self.resolve_topic_name(name))
                continue
            qos = QoSProfile(depth=QUEUE_DEPTH)
            if topic.latched:
                qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
            publishers[name] = self.create_publisher(kind, name, qos)
            first = next(iter(kind.get_fields_and_field_types().items()), None)
            if first == ('header', 'std_msgs/Header'):  # so the message starts with the stamp
                self._with_header.add(name)
        if not publishers:
            raise HydranetError(f'{self._reader.path} has no topic that can be played.')
        return publishers

    def _create_lock_step(self) -> LockStep | None:
        """Return the lock-step that waits for replies, None to play by time."""
        image = self._settings['lock_step_image']
        if not image:
            return None
        if image not in self._outlets:
            raise HydranetError(
                f'Cannot play {image} in lock-step: it is not among the topics to play.'
            )
        replies = absolute_names(self, self._settings['lock_step_replies'])
        if not replies:
            raise HydranetError("The parameter 'lock_step_replies' must name a topic.")
        return LockStep(self, replies, self._settings['lock_step_timeout'])

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Pause or continue."""
        self._watch.pause(request.data)
        response.success = True
        response.message = 'Paused.' if request.data else 'Playing.'
        self.get_logger().info(response.message)
        return response

    def wait_for_subscribers(self, stop: threading.Event) -> None:
        """
        Wait until all expected subscribers and publishers have been discovered.

        Raises HydranetError if they do not appear in time.
        """
        wanted = self._settings['wait_subscribers']
        patience = self._settings['wait_timeout']
        deadline = time.monotonic() + patience
        since: float | None = None
        told = ''
        while wanted > 0 and not stop.is_set():
            now = time.monotonic()
            if (lacking := self._lacking(wanted)) and lacking != told:
                told = lacking
                self.get_logger().info(f'Waiting because there are {lacking}.')
            if lacking and now >= deadline:
                raise HydranetError(
                    f'After {patience:g} s there are {lacking}; start them first, or set '
                    'wait_subscribers to 0.'
                )
            if lacking:
                since = None
            elif since is None:
                since = now
            elif now - since >= _SETTLE:
                return
            stop.wait(_POLL)

    def _lacking(self, wanted: int) -> str:
        """Return what is missing, to follow the words "there are"; empty if nothing is."""
        names = absolute_names(self, self._settings['wait_for_publishers'])
        silent = [name for name in names if not self.count_publishers(name)]
        if self._lock_step is not None:
            silent += self._lock_step.connect()
        if silent:
            return f'no publishers of {", ".join(silent)}'
        # A publisher counts only matched subscribers; the graph counts all discovered ones.
        counts = {p.topic_name: p.get_subscription_count() for p in self._outlets.values()}
        needed = self._subscribers_needed(wanted)
        if not needed and max(counts.values()) < wanted:
            return f'fewer than {wanted} subscribers of {", ".join(sorted(counts))}'
        few = [f'{n} subscribers of {name}' for name, n in needed.items() if counts[name] < n]
        return f'fewer than {", ".join(few)}' if few else ''

    def _subscribers_needed(self, wanted: int) -> dict[str, int]:
        """Return how many subscribers each topic must have."""
        times = Counter(absolute_names(self, self._settings['wait_for']))
        played = {publisher.topic_name for publisher in self._outlets.values()}
        unknown = [name for name in times if name not in played | self._not_installed]
        if unknown:
            raise HydranetError(
                f'Cannot wait for subscribers of {unknown[0]}: it is not among the topics to play.'
            )
        return {name: count * wanted for name, count in times.items() if name in played}

    def play(self, stop: threading.Event) -> None:
        """Publish the whole bag, once or in a loop, until done or stopped."""
        self.get_logger().info(
            f'Playing {", ".join(sorted(self._outlets))} of {self._reader.path} '
            f'at {self._timeline.rate:g} times the recorded rate.'
        )
        self._play_once(stop)
        while self._settings['loop'] and not stop.is_set():
            self._play_once(stop)
        if not stop.is_set():
            clock = () if self._clock is None else (self._clock,)
            for publisher in (*self._outlets.values(), *clock):
                publisher.wait_for_all_acked(Duration(seconds=_FLUSH))
        self.get_logger().info(
            f'Published {self._published} messages, at most {1e3 * self._behind:.0f} ms late.'
        )
        if self._lock_step is not None and self._lock_step.unanswered:
            self.get_logger().warning(f'{self._lock_step.unanswered} images had no reply.')

    def _play_once(self, stop: threading.Event) -> None:
        """Publish the bag once."""
        began_on_wall = time.time_ns()
        self._watch.restart()
        restamper = Restamper() if self._settings['restamp'] else None
        image = self._settings['lock_step_image']
        messages = self._reader.messages(tuple(self._outlets), start=self._timeline.first)
        if self._lock_step is not None:
            messages = belongings_first(messages, image, self._with_header)
        for message in messages:
            due = self._timeline.due(message.time)
            if not self._wait_until(due, stop):
                return
            data = message.data
            if restamper and message.topic in self._with_header:
                data = restamper.restamp(data, began_on_wall + round(due * NANOSECONDS))
            self._behind = max(self._behind, self._watch.elapsed() - due)
            outlet = self._outlets[message.topic]
            if self._lock_step is not None and message.topic == image:
                self._lock_step.exchange(read_stamp(data), partial(outlet.publish, data), stop)
                self._watch.hold_back(due)
            else:
                outlet.publish(data)
            self._published += 1

    def _wait_until(self, due: float, stop: threading.Event) -> bool:
        """Wait until ``due`` seconds of the replay, publishing the clock; False if stopped."""
        while not stop.is_set():
            elapsed = self._watch.elapsed()
            if self._clock is not None:
                recorded = divmod(self._timeline.recorded(min(elapsed, due)), NANOSECONDS)
                self._clock.publish(Clock(clock=Time(sec=recorded[0], nanosec=recorded[1])))
            if elapsed >= due and not self._watch.paused:
                return True
            pause = self._clock_period if self._watch.paused else due - elapsed
            stop.wait(min(pause, self._clock_period, _LONGEST_SLEEP))
        return False


def play_bag(stop: threading.Event) -> None:
    """Play the bag that the parameters name."""
    player = BagPlayer()
    executor = SingleThreadedExecutor()
    executor.add_node(player)
    # Serves parameters and services while the main thread plays.
    services = threading.Thread(target=executor.spin, daemon=True)
    services.start()
    try:
        player.wait_for_subscribers(stop)
        player.play(stop)
    finally:
        executor.shutdown()
        services.join()
        player.destroy_node()


def main() -> int:
    """Run the player as a process."""
    return run_process('bag_player', play_bag)


if __name__ == '__main__':
    sys.exit(main())
