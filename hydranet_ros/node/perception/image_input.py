# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's input: the newest image and its calibration."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import HistoryPolicy, qos_policy_name_from_kind, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hydranet_ros.camera.calibration import CameraInfoBuffer
from hydranet_ros.messages.topic_names import COMPRESSED_SUFFIX
from hydranet_ros.node.distributions import (
    SubscriptionEventCallbacks,
    UnsupportedEventTypeError,
)
from hydranet_ros.node.perception.polling_subscription import Arrival, PollingSubscription, Waiter
from hydranet_ros.node.perception.statistics import Statistics

CAMERA_INFO_DEPTH = 5
"""Number of camera_info messages that the middleware keeps until they are read."""
FIRST_CALIBRATION = 0.1
"""Longest time in seconds that the first image waits for a camera_info."""


@dataclass(frozen=True)
class Source:
    """Message type of the input, and the suffix that image_transport adds to the image topic."""

    message_type: type
    topic_suffix: str


SOURCES = {
    'raw': Source(Image, ''),
    'compressed': Source(CompressedImage, COMPRESSED_SUFFIX),
}
"""Source for each value of the parameter ``image_transport``."""


class ImageInput:
    """Subscriptions to images and their camera_info."""

    def __init__(self, node: Node, source: Source, statistics: Statistics) -> None:
        self._node = node
        self._source = source
        self._statistics = statistics
        self._images: PollingSubscription | None = None
        self._waiter: Waiter | None = None
        self._lost = 0
        self._subscribed = ExitStack()
        # As in image_transport, remapping the base topic also remaps the compressed one.
        self.topic: str = node.resolve_topic_name('image') + source.topic_suffix
        self.camera_infos = CameraInfoInput()
        self.incompatible_qos = ''  # why a publisher's images are not received, for diagnostics

    @property
    def message_type(self) -> str:
        """ROS name of the images' message type."""
        return f'sensor_msgs/msg/{self._source.message_type.__name__}'

    def subscribe(self) -> None:
        """Subscribe to images and their calibration."""
        with ExitStack() as stack:
            self.camera_infos.subscribe(self._node)
            stack.callback(self.camera_infos.unsubscribe)
            self._images = self._subscribe_to_images()
            stack.callback(self._images.destroy)
            self._waiter = Waiter(self._node, self._images)
            stack.callback(self._waiter.destroy)
            self._subscribed = stack.pop_all()

    def unsubscribe(self) -> None:
        """End the subscriptions; no thread may be waiting for an image."""
        self._subscribed.close()

    def stop_waiting(self) -> None:
        """Make current and future calls of `wait_for_image` return None; thread-safe."""
        if self._waiter is not None:
            self._waiter.stop()

    def publisher_types(self) -> list[str]:
        """Return the message type of each publisher on the images' topic."""
        return [info.topic_type for info in self._node.get_publishers_info_by_topic(self.topic)]

    def _subscribe_to_images(self) -> PollingSubscription:
        """Subscribe to the images, with the events that the middleware supports."""
        told: dict[str, Any] = {'incompatible_qos': self._on_incompatible_qos}
        try:
            return self._create_image_subscription({**told, 'message_lost': self._on_lost})
        except UnsupportedEventTypeError:
            return self._create_image_subscription(told)

    def _create_image_subscription(self, events: dict[str, Any]) -> PollingSubscription:
        """Subscribe to serialised images; the perception thread deserialises only the newest."""
        return PollingSubscription(
            self._node,
            self._source.message_type,
            self.topic,
            _sensor_qos(1),
            raw=True,
            event_callbacks=SubscriptionEventCallbacks(**events),
        )

    def wait_for_image(self) -> Arrival | None:
        """Wait for the newest image; None after `stop_waiting`."""
        assert self._waiter and self._images
        self._statistics.ready()
        while self._waiter.wait():
            arrival = self._images.take_newest()
            if arrival is not None:
                # `missed` includes the images lost in transport, which are already counted.
                dropped = max(0, arrival.missed - self._lost)
                self._lost = 0
                self._statistics.received(1 + dropped)
                self._statistics.dropped(dropped)
                return arrival
        return None

    def _on_lost(self, event: Any) -> None:
        """Count images lost in transport; called while the perception thread waits."""
        self._lost += event.total_count_change
        self._statistics.lost(event.total_count_change)

    def _on_incompatible_qos(self, event: Any) -> None:
        """Record and log that a publisher's quality of service does not match."""
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        self.incompatible_qos = (
            f'a publisher offers an incompatible quality of service ({policy}); remove this '
            'policy from qos_overrides'
        )
        self._node.get_logger().warning(f'{self.topic}: {self.incompatible_qos}.')


class CameraInfoInput:
    """
    The camera's camera_info, read from the middleware when an image needs it.

    Drivers publish camera_info after the image, so it arrives while the image is decoded.
    """

    def __init__(self) -> None:
        self._buffer = CameraInfoBuffer()
        self._held: PollingSubscription | None = None
        self._waiter: Waiter | None = None
        self._waited = False

    def subscribe(self, node: Node) -> None:
        """Subscribe to ``camera_info``."""
        self._held = PollingSubscription(
            node,
            CameraInfo,
            'camera_info',
            _sensor_qos(CAMERA_INFO_DEPTH),
            # No thread waits on this subscription permanently, so none can handle events.
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )
        self._waiter = Waiter(node, self._held)

    def unsubscribe(self) -> None:
        """End the subscription; received messages are kept."""
        if self._held is not None and self._waiter is not None:
            self._waiter.destroy()
            self._held.destroy()
            self._held = self._waiter = None

    def match(self, header: Any) -> Any | None:
        """
        Return the camera_info of an image; see `CameraInfoBuffer.match`.

        The first call waits up to `FIRST_CALIBRATION` for a camera_info to arrive.
        """
        self._take()
        if not self._waited and self._waiter is not None:
            self._waited = True
            assert self._held is not None
            if (
                not self.latest_frame_id()
                and self._held.publishers()
                and self._waiter.wait(FIRST_CALIBRATION)
            ):
                self._take()
        return self._buffer.match(header)

    def latest_frame_id(self) -> str | None:
        """Return the frame_id of the latest camera_info, None before the first."""
        return self._buffer.latest_frame_id()

    def _take(self) -> None:
        while self._held is not None and (arrival := self._held.take()) is not None:
            self._buffer.put(arrival.data)


def _sensor_qos(depth: int) -> QoSProfile:
    """Return the input's quality of service; best effort matches every publisher."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT
    )
