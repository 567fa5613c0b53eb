# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Evaluate the perception node while it runs, against published ground truth.

Predictions and ground truth are joined by their stamps. Running metrics are published on
``/diagnostics``, and as Float64 on ``~/<task>/<metric>`` for rqt_plot, PlotJuggler and Foxglove.
The report is written at the end and on each call of the service ``~/write_report``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
import posixpath
import sys
import threading
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.serialization import deserialize_message
from std_msgs.msg import Float64, Header
from std_srvs.srv import Trigger

from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.bag_report import fullest, report_place, write_report
from hydranet_ros.evaluation.frame_decoding import IMAGE
from hydranet_ros.evaluation.live_evaluation import LiveEvaluation
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES
from hydranet_ros.messages.stamps import read_stamp
from hydranet_ros.messages.topic_names import TRANSPORT_SUFFIXES, truth_topic
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.node.bag_tools.bag_process import (
    declare_parameters,
    matching_qos,
    message_class,
    receive,
    stamp_header,
)
from hydranet_ros.node.process import run_process

PARAMETERS = {
    'output': ('evaluation', 'Folder of the report; an existing report is overwritten.'),
    'tasks': (
        Parameter.Type.STRING_ARRAY,
        'Tasks to evaluate; if empty: depth, and segmentation if a label set is given.',
    ),
    'label_set': ('', 'Name or file of the label set of the predicted and the true class ids.'),
    'depth_minimum': (1e-3, 'Smallest true depth that is evaluated, in metres.'),
    'depth_maximum': (80.0, 'Largest true depth that is evaluated, in metres.'),
    'crop': ('', 'Crop in which depth is evaluated: garg, eigen or nyud; empty for none.'),
    'source': ('live', 'Name of the recording, for the report.'),
    'model': ('', 'Name of the model, for the report.'),
    'fault': ('', 'A sentence on what is wrong with the recording, for the report.'),
}

QUEUE_DEPTH = 64
_PERIOD = 1.0  # s between publications of the running metrics


class EvaluatorNode(Node):
    """
    Subscribe to predictions and ground truth, and accumulate the metrics.

    When an image and all its predictions have arrived, the image's stamp is published on
    ``~/evaluated`` (std_msgs/Header); a player in lock-step waits for this reply. Raises
    HydranetError if a parameter is invalid.
    """

    def __init__(self) -> None:
        super().__init__('evaluator_node')
        self._settings = declare_parameters(self, PARAMETERS)
        protocol = _protocol(self._settings)
        tasks = self._settings['tasks'] or (
            ('segmentation', 'depth') if protocol.label_set else ('depth',)
        )
        unknown = [task for task in tasks if task not in MEASURES]
        if unknown:
            raise HydranetError(
                f'There is no task {unknown[0]!r}; choose one of {", ".join(MEASURES)}.'
            )
        if 'segmentation' in tasks and protocol.label_set is None:
            raise HydranetError("The parameter 'label_set' is missing: segmentation needs it.")
        self._live = LiveEvaluation(tasks, protocol, _deserialize)
        self._topics = {part: self.resolve_topic_name(_topic(part)) for part in self._live.parts}
        self._subscribed: set[str] = set()
        self._answer: Publisher | None = None
        self._received = 0
        self._figures: dict[str, Publisher] = {}
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_service(Trigger, '~/write_report', self._on_write_report)
        # Steady, because ROS time stops in a paused replay.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_PERIOD, self.publish_figures, clock=steady)

    @property
    def received(self) -> int:
        """Return the number of messages received."""
        return self._received

    def idle(self, seconds: float) -> None:
        """Do nothing: an evaluator has no timeout."""

    def subscribe_to_new_topics(self) -> None:
        """Subscribe to topics with a publisher; once all have one, advertise ``~/evaluated``."""
        if self._answer is not None:
            return
        types = dict(self.get_topic_names_and_types())
        for part, base in self._topics.items():
            if part in self._subscribed:
                continue
            for topic in (base + suffix for suffix in TRANSPORT_SUFFIXES):
                kind = message_class(types[topic][0]) if topic in types else None
                publishers = self.get_publishers_info_by_topic(topic)
                if kind is not None and publishers:
                    qos = matching_qos(publishers, QUEUE_DEPTH)
                    self.create_subscription(kind, topic, self._take(part, kind), qos, raw=True)
                    self._subscribed.add(part)
                    self.get_logger().info(f'Receiving the {part} from {topic}.')
                    break
        if self._subscribed == self._topics.keys():
            # A player starts only when this publisher exists.
            self._answer = self.create_publisher(Header, '~/evaluated', QUEUE_DEPTH)

    def _take(self, part: str, kind: Any) -> Callable[[bytes], None]:
        """Return the subscription callback for a part of a frame."""

        def take(data: bytes) -> None:
            self._received += 1
            stamp = read_stamp(data)
            if self._live.receive(part, stamp, (data, kind)) and self._answer is not None:
                self._answer.publish(stamp_header(stamp))

        return take

    def publish_figures(self) -> None:
        """Publish the running metrics of the current pass over the recording."""
        current = self._live.passes[-1]
        figures = current.running() if current.rows else {}
        for name, value in figures.items():
            if name not in self._figures:
                self._figures[name] = self.create_publisher(Float64, f'~/{name}', 10)
            self._figures[name].publish(Float64(data=value))
        waiting = sorted(self._topics[part] for part in self._topics.keys() - self._subscribed)
        message = f'{len(current.rows)} frames evaluated in pass {len(self._live.passes)}.'
        if waiting:
            message += f' There is no publisher of {", ".join(waiting)}.'
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if waiting else DiagnosticStatus.OK,
            name=f'{self.get_fully_qualified_name().lstrip("/")}: evaluation',
            message=message,
            values=[
                *(KeyValue(key=name, value=f'{value:.4f}') for name, value in figures.items()),
                *(
                    KeyValue(key=f'frames that {what}', value=str(tally.count))
                    for what, tally in current.account.items()
                ),
            ],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def finish(self) -> None:
        """Evaluate the last frames and write the report."""
        self._live.finish()
        self.publish_figures()
        self.get_logger().info(self._write())

    def _on_write_report(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        try:
            response.message = self._write()
            response.success = True
        except HydranetError as error:
            response.message = str(error)
        return response

    def _write(self) -> str:
        """Write the report; return a summary for the log."""
        about = {
            'bag': self._settings['source'],
            'mode': 'live',
            'model': self._settings['model'],
            'node': posixpath.dirname(self._topics[IMAGE]),
        }
        folder = Path(self._settings['output'])
        faults = [fault] if (fault := str(self._settings['fault'])) else []
        write_report(folder, about, self._live.passes, faults)
        measured = len(fullest(self._live.passes).rows)
        return f'{measured} frames evaluated; report: {report_place(folder)}'


def _topic(part: str) -> str:
    """Return the relative topic of a part of a frame."""
    task = part.removeprefix('true ')
    return part if task == part else truth_topic(task).lstrip('/')


def _protocol(settings: dict[str, Any]) -> EvaluationProtocol:
    labels = load_label_set(settings['label_set']) if settings['label_set'] else None
    depth_range = (settings['depth_minimum'], settings['depth_maximum'])
    return EvaluationProtocol(labels, depth_range, settings['crop'] or None)


def _deserialize(content: tuple[bytes, Any]) -> Any:
    """Deserialise a received message."""
    data, kind = content
    try:
        return deserialize_message(data, kind)
    except RuntimeError as error:  # base class of rclpy's errors about damaged messages
        raise HydranetError(
            f'A message of {len(data)} bytes is not a valid {kind.__name__}.'
        ) from error


def evaluate_live(stop: threading.Event) -> None:
    """Evaluate until stopped, then write the report."""
    node = EvaluatorNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        receive(node, executor, stop.is_set)
        node.finish()
    finally:
        executor.shutdown()
        node.destroy_node()


def main() -> int:
    """Run the evaluator as a process."""
    return run_process('evaluator_node', evaluate_live)


if __name__ == '__main__':
    sys.exit(main())
