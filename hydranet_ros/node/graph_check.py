# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Observe the cameras of the ROS graph for a few seconds, for ``hydranet doctor``."""

from __future__ import annotations

from dataclasses import dataclass, field
import time
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_specs import NODE_NAME
from hydranet_ros.messages.images import message_to_rgb
from hydranet_ros.messages.topic_names import camera_info_topic, is_result_or_truth

# Matches every publisher.
_ANY_PUBLISHER = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT
)
_TYPES: dict[str, type] = {
    'sensor_msgs/msg/Image': Image,
    'sensor_msgs/msg/CompressedImage': CompressedImage,
}


@dataclass
class CameraTopic:
    """A topic of camera images, and what was received on it."""

    name: str  # absolute
    type: str  # e.g. sensor_msgs/msg/Image
    publishers: list[str] = field(default_factory=list)  # node and quality of service of each
    times: list[float] = field(default_factory=list)  # seconds at which images were received
    image: Any = None  # the last image
    size: tuple[int, int] | None = None  # width and height of the image, None if not decodable
    fault: str = ''  # why the image cannot be decoded
    calibration: Any = None  # the last CameraInfo in the namespace of the images
    calibration_topic: str = ''
    calibration_published: bool = False

    @property
    def rate(self) -> float | None:
        """Images per second, None for fewer than two images."""
        if len(self.times) < 2:
            return None
        return (len(self.times) - 1) / (self.times[-1] - self.times[0])


@dataclass
class Graph:
    """What was observed in the ROS graph."""

    middleware: str  # e.g. rmw_fastrtps_cpp
    cameras: list[CameraTopic]
    nodes: list[str]  # absolute names of the perception nodes


def observe(seconds: float, only: str = '') -> Graph:
    """
    Receive from all camera topics, or from the topic ``only``, for a number of seconds.

    Topics that appear meanwhile are included; ground truth and the results of a perception node
    are not. The environment variables of the Fast DDS profile must be set before the call.
    """
    context = rclpy.Context()
    context.init()
    node = rclpy.create_node('hydranet_doctor', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    cameras: dict[str, CameraTopic] = {}
    try:
        deadline = time.monotonic() + seconds
        next_look = 0.0
        while (now := time.monotonic()) < deadline:
            if now >= next_look:
                _subscribe_to_new(node, cameras, only)
                next_look = now + 0.2
            executor.spin_once(timeout_sec=0.05)
        for camera in cameras.values():
            _describe_publishers(node, camera)
        nodes = [
            f'{namespace.rstrip("/")}/{name}'
            for name, namespace in node.get_node_names_and_namespaces()
            if name == NODE_NAME
        ]
        return Graph(get_rmw_implementation_identifier(), list(cameras.values()), sorted(nodes))
    finally:
        executor.shutdown()
        node.destroy_node()
        context.shutdown()


def _subscribe_to_new(node: Node, cameras: dict[str, CameraTopic], only: str) -> None:
    """Subscribe to the camera topics that have appeared, and to their calibrations."""
    for name, types in node.get_topic_names_and_types():
        kind = next((kind for kind in types if kind in _TYPES), None)
        if kind is None or name in cameras or (only and name != only):
            continue
        infos = node.get_publishers_info_by_topic(name)
        if not infos or is_result_or_truth(name) or any(i.node_name == NODE_NAME for i in infos):
            continue
        camera = CameraTopic(name, kind, calibration_topic=camera_info_topic(name))
        cameras[name] = camera
        _subscribe(node, camera)


def _subscribe(node: Node, camera: CameraTopic) -> None:
    """Subscribe to a camera's images and calibration."""

    def on_image(data: bytes) -> None:
        camera.times.append(time.monotonic())
        camera.image = data  # deserialised once, at the end

    def on_calibration(message: CameraInfo) -> None:
        camera.calibration = message

    node.create_subscription(_TYPES[camera.type], camera.name, on_image, _ANY_PUBLISHER, raw=True)
    node.create_subscription(CameraInfo, camera.calibration_topic, on_calibration, _ANY_PUBLISHER)


def _describe_publishers(node: Node, camera: CameraTopic) -> None:
    """Add the publishers of a camera, and decode its last image."""
    for info in node.get_publishers_info_by_topic(camera.name):
        qos = info.qos_profile
        reliable = qos.reliability == ReliabilityPolicy.RELIABLE
        latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        camera.publishers.append(
            f'{info.node_namespace.rstrip("/")}/{info.node_name}, '
            f'{"reliable" if reliable else "best effort"}{", transient local" if latched else ""}'
        )
    camera.calibration_published = bool(node.count_publishers(camera.calibration_topic))
    if camera.image is not None:
        camera.image = deserialize_message(camera.image, _TYPES[camera.type])
        try:
            height, width = message_to_rgb(camera.image).shape[:2]
            camera.size = width, height
        except HydranetError as fault:
            camera.fault = str(fault)
