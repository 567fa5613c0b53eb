# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Publish the class names as a latched message, if ``vision_msgs`` is installed."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from hydranet_ros.model.labels import LabelSet

TOPIC = 'label_info'
TYPE = 'vision_msgs/LabelInfo'
CONTENT = (
    'class names by id, latched; only if vision_msgs is installed, otherwise use the parameter '
    '`class_names`'
)


def latched_qos() -> QoSProfile:
    """Return the quality of service with which late subscribers also get the message."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def message_types() -> tuple[Any, Any] | None:
    """Return the classes ``LabelInfo`` and ``VisionClass``, None if they are not installed."""
    try:
        from vision_msgs.msg import LabelInfo, VisionClass
    except ImportError:
        return None
    return LabelInfo, VisionClass


class LabelInfoOutput:
    """Publishes the class names; does nothing if ``vision_msgs`` is not installed."""

    def __init__(
        self, node: LifecycleNode, label_set: LabelSet, types: tuple[Any, Any] | None
    ) -> None:
        self._node, self._types = node, types
        self.label_set = label_set
        self._publisher = types and node.create_lifecycle_publisher(types[0], TOPIC, latched_qos())

    def publish(self) -> None:
        """Publish the names; the middleware delivers the last message to late subscribers."""
        if self._types is None or self._publisher is None:
            return
        message_type, class_type = self._types
        classes = [
            class_type(class_id=index, class_name=name)
            for index, name in enumerate(self.label_set.classes)
        ]
        header = Header(stamp=self._node.get_clock().now().to_msg())
        # 0: no threshold is applied, each pixel has its most likely class.
        self._publisher.publish(message_type(header=header, class_map=classes, threshold=0.0))

    def destroy(self) -> None:
        """Remove the topic."""
        if self._publisher is not None:
            self._node.destroy_lifecycle_publisher(self._publisher)
            self._publisher = None
