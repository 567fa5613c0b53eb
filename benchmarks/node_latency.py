# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the time that the node adds to inference, between a camera and a subscriber over DDS.

    python benchmarks/node_latency.py MODEL --size 1200x350 --rates 5 8 20

The script first times ``Predictor.predict`` without ROS. Then, for each camera rate, it prints the
age of depth at the subscriber (from the stamp, taken just before the camera publishes), the share
of images with a result, the node's processor time per result, and the durations of the stages from
the node's diagnostics.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import contextlib
from dataclasses import asdict, dataclass
from functools import partial
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

import numpy as np

from hydranet_ros.cli.common import image_size
from hydranet_ros.launching.process_group import (
    private_graph_environment,
    ProcessGroup,
    RunningProcess,
)
from hydranet_ros.launching.process_specs import perception_process
from hydranet_ros.resources import model_path

NANOSECONDS = 1_000_000_000
SETTLING = 2.0
"""Seconds at the start of each rate that are not measured."""
REST = 5.0
"""Seconds of measurement without a camera."""


@dataclass(frozen=True)
class Run:
    """Measurements at one camera rate; times in milliseconds."""

    rate: float  # images per second that the camera sent
    sent: int  # images
    received: int  # depth images that the node published
    share: float  # received / sent
    age: tuple[float, float, float]  # of depth at the subscriber: p50, p95, p99
    cpu: float
    """Processor time of the node, all threads, for one published result."""
    intake: float
    """
    Processor time of the main thread and the middleware threads of the node per image sent, beyond
    what these threads use without a camera. It is slightly more than the cost of a dropped image,
    since these threads also send outputs.
    """
    stages: dict[str, float]  # medians, from the node's diagnostics


def camera(size: tuple[int, int], rate: float, stop: threading.Event) -> None:
    """Publish images at a fixed rate until asked to stop; runs in a separate process."""
    import array

    import rclpy
    from sensor_msgs.msg import Image

    from hydranet_ros.runtime.parity import synthetic_picture

    node = rclpy.create_node('camera')
    publisher = node.create_publisher(Image, 'image', 1)
    width, height = size
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    message.header.frame_id = 'camera'
    message.data = array.array('B', synthetic_picture(height, width).tobytes())
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        due += 1.0 / rate
    node.destroy_node()


class Subscriber:
    """Receive the node's depth, labels and diagnostics."""

    def __init__(self) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        import rclpy
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import Image

        rclpy.init()
        self._rclpy = rclpy
        self._node = rclpy.create_node('latency_subscriber')
        self.ages: list[float] = []
        self.stages: dict[str, float] = {}
        self.active = False
        self._node.create_subscription(Image, 'depth', self._on_depth, qos_profile_sensor_data)
        self._node.create_subscription(
            Image, 'segmentation', lambda _: None, qos_profile_sensor_data
        )
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 1)

    def _on_depth(self, message: Any) -> None:
        stamp = message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec
        self.ages.append((time.time_ns() - stamp) / NANOSECONDS)

    def _on_diagnostics(self, message: Any) -> None:
        for entry in message.status[0].values:
            if entry.key == 'state':
                self.active = entry.value == 'active'
            if entry.key.endswith(' p50 (ms)'):
                self.stages[entry.key.removesuffix(' p50 (ms)')] = float(entry.value)

    def close(self) -> None:
        """Leave the ROS graph."""
        self._node.destroy_node()
        self._rclpy.shutdown()

    def spin(self, seconds: float) -> None:
        """Receive messages for this many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._rclpy.spin_once(self._node, timeout_sec=left)

    def spin_until_ready(self, process: RunningProcess, timeout: float) -> None:
        """Receive until the node's diagnostics report that it is active."""
        self._spin_until(lambda: self.active, process, timeout)

    def spin_until_received(self, process: RunningProcess, timeout: float) -> None:
        """Receive until the first depth image."""
        self._spin_until(lambda: self.ages, process, timeout)

    def _spin_until(
        self, condition: Callable[[], object], process: RunningProcess, timeout: float
    ) -> None:
        end = time.monotonic() + timeout
        while not condition():
            self._rclpy.spin_once(self._node, timeout_sec=0.1)
            if process.popen.poll() is not None or time.monotonic() > end:
                raise SystemExit(
                    f'No message arrived. Output of the node:\n{process.last_lines()}'
                )


def processor_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process."""
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def intake_seconds(pid: int) -> float:
    """Return the processor time of a process's main thread and the threads of Fast DDS."""
    nanoseconds = 0
    for task in Path(f'/proc/{pid}/task').iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            if task.name == str(pid) or (task / 'comm').read_text().startswith('dds.'):
                nanoseconds += int((task / 'schedstat').read_text().split()[0])
    return nanoseconds / NANOSECONDS


def measure_rest(subscriber: Subscriber, node: RunningProcess) -> float:
    """Return the share of a core that the node's receiving threads use without a camera."""
    subscriber.spin_until_ready(node, timeout=120.0)
    before = intake_seconds(node.popen.pid)
    subscriber.spin(REST)
    return (intake_seconds(node.popen.pid) - before) / REST


def measure_rate(
    subscriber: Subscriber,
    node: RunningProcess,
    camera_command: list[str],
    *,
    rate: float,
    seconds: float,
    at_rest: float,
) -> Run:
    """Run a camera at a rate, and measure; `at_rest` is the result of `measure_rest`."""
    publisher = subprocess.Popen([*camera_command, '--rates', str(rate)])
    try:
        subscriber.ages.clear()
        subscriber.spin_until_received(node, timeout=120.0)
        subscriber.spin(SETTLING)
        subscriber.ages.clear()
        pid = node.popen.pid
        busy, intake, begin = processor_seconds(pid), intake_seconds(pid), time.monotonic()
        subscriber.spin(seconds)
        duration = time.monotonic() - begin
        busy, intake = processor_seconds(pid) - busy, intake_seconds(pid) - intake
    finally:
        publisher.terminate()
        publisher.wait()
    sent = round(rate * duration)
    received = len(subscriber.ages)
    ages = 1e3 * np.percentile(subscriber.ages, (50, 95, 99))
    return Run(
        rate,
        sent,
        received,
        min(1.0, received / sent),
        (float(ages[0]), float(ages[1]), float(ages[2])),
        1e3 * busy / received,
        1e3 * (intake - at_rest * duration) / sent,
        dict(subscriber.stages),
    )


def in_process(model: str, size: tuple[int, int], rounds: int = 20) -> float:
    """Return the median milliseconds of ``Predictor.predict`` without ROS."""
    from hydranet_ros.runtime.parity import synthetic_picture
    from hydranet_ros.runtime.predictor import Predictor

    rgb = synthetic_picture(size[1], size[0])
    predictor = Predictor(model, warm_up_size=(size[1], size[0]))
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        predictor.predict(rgb)
        seconds.append(time.perf_counter() - begin)
    predictor.close()
    return 1e3 * float(np.median(seconds))


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('model', help='model file')
    parser.add_argument('--size', type=image_size, default=(1200, 350), metavar='WxH')
    parser.add_argument(
        '--rates',
        type=float,
        nargs='+',
        help="images per second (default: half, nine tenths and three times the network's rate)",
    )
    parser.add_argument('--seconds', type=float, default=10.0, help='for each rate (default: 10)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the results to FILE')
    parser.add_argument('--camera', action='store_true', help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    parsed = arguments()
    if parsed.camera:
        from hydranet_ros.node.process import run_process

        raise SystemExit(run_process('camera', partial(camera, parsed.size, parsed.rates[0])))
    predict = in_process(parsed.model, parsed.size)
    print(f'Predictor.predict in this process: {predict:.1f} ms (median)')
    rates = parsed.rates or [share * 1e3 / predict for share in (0.5, 0.9, 3.0)]
    runs = []
    size = f'{parsed.size[0]}x{parsed.size[1]}'
    command = [sys.executable, __file__, parsed.model, '--camera', '--size', size]
    with tempfile.TemporaryDirectory() as folder:
        environment = private_graph_environment(Path(folder))
        os.environ.update(environment)
        with ProcessGroup(Path(folder), environment) as group:
            node = group.start(perception_process(model=model_path(parsed.model).absolute()))
            with contextlib.closing(Subscriber()) as subscriber:
                at_rest = measure_rest(subscriber, node)
                measure = partial(measure_rate, subscriber, node, command, at_rest=at_rest)
                for rate in rates:
                    runs.append(measure(rate=rate, seconds=parsed.seconds))
                    print_run(runs[-1], predict)
    if parsed.json:
        figures = {'predict': predict, 'runs': [asdict(run) for run in runs]}
        parsed.json.write_text(json.dumps(figures, indent=2) + '\n')


def print_run(run: Run, predict: float) -> None:
    """Print the figures of one rate."""
    p50, p95, p99 = run.age
    print(
        f'{run.rate:5.1f} images/s: age p50 {p50:.1f} (predict {p50 - predict:+.1f}), '
        f'p95 {p95:.1f}, p99 {p99:.1f} ms; {run.received} of {run.sent} ({100 * run.share:.1f} %) '
        f'results; processor time: {run.cpu:.1f} ms per result, {run.intake:.2f} ms per image sent'
    )
    print('        node: ' + ', '.join(f'{key} {value:.1f}' for key, value in run.stages.items()))


if __name__ == '__main__':
    main()
