# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A client of the node in system tests: a camera, a consumer and an operator over DDS."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
import time
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
import numpy as np
from numpy.typing import NDArray
from rcl_interfaces.srv import GetParameters, SetParametersAtomically
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from hydranet_ros.launching.process_specs import NODE_NAME
from hydranet_ros.node.perception.output_messages import array_to_image

PATIENCE = 30.0
"""Seconds within which what must happen happens, on a busy machine too."""
RESEND = 1.0
"""Seconds after which an image is sent again: best effort may lose one during discovery."""
FRAME_ID = 'camera_optical_frame'
DTYPES = {'mono8': ('u1', 1), 'rgb8': ('u1', 3), '16UC1': ('u2', 1), '32FC1': ('f4', 1),
          '32FC3': ('f4', 3)}  # fmt: skip

_BEST_EFFORT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)
_stamps = count(1_700_000_000_123_456_789, 33_333_333)


class RosClient:
    """
    A node in the test's process that spins only while a test waits for something.

    Parameters
    ----------
    namespace
        The namespace of the node under test.

    """

    def __init__(self, namespace: str = '') -> None:
        self._context = rclpy.Context()
        self._context.init()
        self.node = rclpy.create_node('test_client', context=self._context, namespace=namespace)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.images = self.node.create_publisher(Image, 'image', _BEST_EFFORT)
        self.compressed = self.node.create_publisher(
            CompressedImage, 'image/compressed', _BEST_EFFORT
        )
        self.camera_infos = self.node.create_publisher(CameraInfo, 'camera_info', _BEST_EFFORT)
        self.reports: list[DiagnosticStatus] = []
        self._report_name = f'{namespace}/{NODE_NAME}: perception'.lstrip('/')
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_report, 10)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.shutdown()

    def until(self, condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
        """Spin until a condition is true, and return its value; fail with ``what`` otherwise."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < deadline, f'not within {timeout:.0f} s: {what}'
            self._executor.spin_once(timeout_sec=0.005)
        return value

    def subscribe(self, message_type: type, topic: str) -> list[Any]:
        """Subscribe reliably; returns the list that messages are added to."""
        received: list[Any] = []
        self.node.create_subscription(message_type, topic, received.append, 10)
        return received

    def unsubscribe_all(self) -> None:
        """Remove every subscription but that to the diagnostics."""
        for subscription in list(self.node.subscriptions):
            if subscription.topic_name != '/diagnostics':
                self.node.destroy_subscription(subscription)

    # The camera.

    def image(self, rgb: NDArray[np.uint8], frame_id: str = FRAME_ID) -> Image:
        """Make an image with a unique stamp."""
        return array_to_image(rgb, 'rgb8', next_header(frame_id))

    def exchange(self, message: Any, *received: list[Any]) -> list[Any]:
        """
        Send an image until each of some subscriptions has an output with its header.

        Each copy has a new stamp, so outputs of earlier copies do not count.
        """
        message.header.stamp = next_header().stamp
        publisher = self.compressed if isinstance(message, CompressedImage) else self.images
        next_time = 0.0

        def answers() -> list[Any] | None:
            nonlocal next_time
            if time.monotonic() >= next_time:
                publisher.publish(message)
                next_time = time.monotonic() + RESEND
            found = [with_header(messages, message.header) for messages in received]
            return None if None in found else found

        result: list[Any] = self.until(answers, 'an output for the image that was sent')
        return result

    # The operator.

    def call(self, service_type: Any, service: str, request: Any) -> Any:
        """Call a service of the node under test."""
        client = self.node.create_client(service_type, f'{NODE_NAME}/{service}')
        self.until(client.service_is_ready, f'service {service}')
        future = client.call_async(request)
        self.until(future.done, f'an answer of {service}')
        self.node.destroy_client(client)
        return future.result()

    def change_state(self, *transitions: str) -> bool:
        """Request transitions by name; returns whether all succeeded."""
        numbers = [getattr(Transition, f'TRANSITION_{name.upper()}') for name in transitions]
        requests = [ChangeState.Request(transition=Transition(id=n)) for n in numbers]
        return all(self.call(ChangeState, 'change_state', r).success for r in requests)

    def state(self) -> str:
        """Return the name of the lifecycle state."""
        label: str = self.call(GetState, 'get_state', GetState.Request()).current_state.label
        return label

    def set_parameters(self, **values: Any) -> str:
        """Set several parameters; return the reason if they are rejected, else an empty string."""
        parameters = [Parameter(name, value=v).to_parameter_msg() for name, v in values.items()]
        request = SetParametersAtomically.Request(parameters=parameters)
        result = self.call(SetParametersAtomically, 'set_parameters_atomically', request).result
        return '' if result.successful else result.reason

    def get_parameter(self, name: str) -> Any:
        """Return the value of a parameter."""
        request = GetParameters.Request(names=[name])
        (value,) = self.call(GetParameters, 'get_parameters', request).values
        return rclpy.parameter.parameter_value_to_python(value)

    def report(self, sentence: str, timeout: float = PATIENCE) -> DiagnosticStatus:
        """Wait for a new diagnostic report whose message contains a sentence."""
        self.reports.clear()

        def found() -> DiagnosticStatus | None:
            return next((r for r in self.reports if sentence in r.message), None)

        try:
            status: DiagnosticStatus = self.until(found, sentence, timeout)
        except AssertionError as error:
            said = self.reports[-1].message if self.reports else 'nothing'
            raise AssertionError(f'{error}; diagnostics said: {said}') from None
        return status

    def figures(self) -> dict[str, str]:
        """Return the values of a new diagnostic report."""
        return {value.key: value.value for value in self.report('').values}

    def _on_report(self, array: DiagnosticArray) -> None:
        self.reports += [s for s in array.status if s.name == self._report_name]


def next_header(frame_id: str = FRAME_ID) -> Header:
    """Return a header with a unique stamp."""
    seconds, nanoseconds = divmod(next(_stamps), 10**9)
    return Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)


def with_header(messages: list[Any], header: Header) -> Any:
    """Return the message of a header, None if there is none."""
    return next((m for m in messages if m.header == header), None)


def pixels(message: Image) -> NDArray[Any]:
    """Return the pixels of one of the node's images."""
    dtype, channels = DTYPES[message.encoding]
    shape = (message.height, message.width) + ((channels,) if channels > 1 else ())
    assert message.step == message.width * channels * np.dtype(dtype).itemsize
    return np.frombuffer(message.data, dtype).reshape(shape)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return an image of noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
