# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Print how far away each class is, from the topics of a running perception node."""

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image


class Distances(Node):
    """Joins segmentation and depth by their stamps, which are those of the camera's image."""

    def __init__(self) -> None:
        super().__init__('distances')
        self.waiting: dict[tuple[int, int], Image] = {}
        self.create_subscription(Image, 'segmentation', self.on_message, 5)
        self.create_subscription(Image, 'depth', self.on_message, 5)

    def on_message(self, message: Image) -> None:
        """Wait for the other half of the frame, then print the median depth of each class."""
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        other = self.waiting.pop(stamp, None)
        if other is None:
            self.waiting = {stamp: message}
            return
        frame = {each.encoding: each for each in (message, other)}
        shape = (message.height, message.width)
        labels = np.frombuffer(frame['mono8'].data, np.uint8).reshape(shape)
        depth = np.frombuffer(frame['32FC1'].data, np.float32).reshape(shape)
        for label in np.unique(labels[labels != 255]):  # names: parameter class_names of the node
            print(f'class {label}: {np.nanmedian(depth[labels == label]):.1f} m', flush=True)


if __name__ == '__main__':
    rclpy.init()
    rclpy.spin(Distances())
