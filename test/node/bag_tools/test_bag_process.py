# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""What the bag player and the bag recorder share, and what is written about them."""

from __future__ import annotations

from checkout import CHECKOUT
import pytest
from sensor_msgs.msg import Image

from hydranet_ros.node.bag_tools import bag_player, bag_recorder, evaluator_node
from hydranet_ros.node.bag_tools.bag_process import markdown_table, message_class

DOCUMENTS = CHECKOUT / 'docs'


@pytest.mark.parametrize(
    ('module', 'document'),
    [(bag_player, 'demo.md'), (bag_recorder, 'demo.md'), (evaluator_node, 'replay.md')],
)
def test_documented_parameters_are_the_real_ones(module, document: str) -> None:
    assert markdown_table(module.PARAMETERS) in (DOCUMENTS / document).read_text()


def test_message_classes_are_found_by_type() -> None:
    assert message_class('sensor_msgs/msg/Image') is Image
    assert message_class('sensor_msgs/msg/Telepathy') is None
    assert message_class('robot_msgs/msg/Gripper') is None
