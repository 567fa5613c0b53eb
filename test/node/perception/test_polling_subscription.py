# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The middleware keeps the newest message until a thread takes it, and counts missed messages."""

import threading
import time

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from hydranet_ros.node.perception.polling_subscription import PollingSubscription, Waiter

DEADLINE = 10.0


def wait_until_held(waiter):
    """Wait for a message; fail the test if it is lost."""
    deadline = time.monotonic() + DEADLINE
    while not waiter.wait(0.5):
        assert time.monotonic() < deadline


class Stage:
    """A polling subscription and a publisher that are matched."""

    def __init__(self, context):
        self.node = rclpy.create_node('held_test', context=context)
        self.held = PollingSubscription(self.node, Image, 'image', QoSProfile(depth=1), raw=True)
        self.waiter = Waiter(self.node, self.held)
        self.publisher = self.node.create_publisher(Image, 'image', 1)
        deadline = time.monotonic() + DEADLINE
        while not self.publisher.get_subscription_count():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def publish(self, *heights):
        """Publish images with different heights."""
        for height in heights:
            self.publisher.publish(Image(height=height))

    def take_up_to(self, height):
        """Return the arrivals up to the image of this height."""
        arrivals = []
        while not arrivals or self.height_of(arrivals[-1]) != height:
            wait_until_held(self.waiter)
            arrival = self.held.take()
            if arrival is not None:
                arrivals.append(arrival)
        return arrivals

    @staticmethod
    def height_of(arrival):
        """Return the height of a serialised image."""
        return deserialize_message(arrival.data, Image).height


@pytest.fixture
def stage():
    context = rclpy.Context()
    context.init()
    made = Stage(context)
    yield made
    made.waiter.destroy()
    made.held.destroy()
    made.node.destroy_node()
    context.try_shutdown()


def test_every_message_is_either_taken_or_missed(stage):
    stage.publish(1)
    (first,) = stage.take_up_to(1)
    assert first.missed == 0 and 0 <= time.monotonic() - first.moment < DEADLINE
    stage.publish(*range(2, 12))
    arrivals = stage.take_up_to(11)
    assert sum(1 + arrival.missed for arrival in arrivals) == 10
    assert stage.held.take() is None


def test_an_executor_leaves_held_messages_alone(stage):
    stage.publish(7)
    executor = SingleThreadedExecutor(context=stage.node.context)
    executor.add_node(stage.node)
    for _ in range(5):
        executor.spin_once(timeout_sec=0.01)
    executor.shutdown()
    assert stage.height_of(stage.take_up_to(7)[-1]) == 7


def test_publishers_are_numbered_each_on_its_own(stage):
    other = stage.node.create_publisher(Image, 'image', 1)
    deadline = time.monotonic() + DEADLINE
    while not other.get_subscription_count():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for height in range(1, 6):
        stage.publish(height)
        stage.take_up_to(height)
    other.publish(Image(height=20))
    (arrival,) = stage.take_up_to(20)
    assert arrival.missed == 0
    stage.publish(6)
    (arrival,) = stage.take_up_to(6)
    assert arrival.missed == 0


def test_stop_wakes_whoever_waits_and_ends_all_waiting(stage):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(stage.waiter.wait()))
    thread.start()
    stage.waiter.stop()
    thread.join(DEADLINE)
    assert answers == [False]
    stage.publish(1)
    assert not stage.waiter.wait()


def test_the_newest_of_many_is_taken_and_the_others_are_missed(stage):
    deep = PollingSubscription(stage.node, Image, 'image', QoSProfile(depth=10), raw=True)
    deadline = time.monotonic() + DEADLINE
    while stage.publisher.get_subscription_count() < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    waiter = Waiter(stage.node, deep)
    stage.publish(1)
    wait_until_held(waiter)
    assert deep.take_newest().missed == 0
    stage.publish(*range(2, 7))
    stage.take_up_to(6)
    taken = missed = 0
    height = None
    while height != 6:
        wait_until_held(waiter)
        arrival = deep.take_newest()
        height = stage.height_of(arrival)
        taken, missed = taken + 1, missed + arrival.missed
    assert taken + missed == 5
    assert deep.take_newest() is None
    waiter.destroy()
    deep.destroy()


def test_waiting_may_have_an_end(stage):
    assert not stage.waiter.wait(0.01)
    stage.publish(1)
    assert stage.waiter.wait(DEADLINE)


def test_publishers_that_cannot_be_told_apart_are_not_counted(stage, monkeypatch):
    # As on Jazzy.
    numbers = [{'publication_sequence_number': n, 'publisher_gid': None} for n in (5, 9, 2000, 10)]
    # Fixed, because the graph may still contain the publisher of an earlier test.
    monkeypatch.setattr(stage.held, 'publishers', lambda: 1)
    assert [stage.held._missed(info) for info in numbers[:2]] == [0, 3]
    monkeypatch.setattr(stage.held, 'publishers', lambda: 2)
    assert [stage.held._missed(info) for info in numbers[2:]] == [0, 0]


def test_messages_without_numbers_are_not_counted_as_missed(stage):
    # As on Humble.
    assert stage.held._missed({'source_timestamp': 1, 'received_timestamp': 2}) == 0
