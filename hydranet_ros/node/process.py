# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Start and end of every process of the package: signals, exit status, errors."""

from __future__ import annotations

from collections.abc import Callable
import os
import signal
import sys
import threading

import rclpy
from rclpy.signals import SignalHandlerOptions

from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_specs import image_transport_environment


def run_process(name: str, work: Callable[[threading.Event], None]) -> int:
    """
    Run a process until its work is done or a signal ends it; return its exit status.

    ``work`` is called after rclpy is initialised; its argument is an event that SIGINT and SIGTERM
    set. The status is 0, even after a signal. After an error it is 1, and the error is printed.
    """
    stop = threading.Event()

    def request_stop(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)  # a second signal kills a process that hangs

    # The variables of the Fast DDS profile are set here, because `ros2 run` uses no launch file.
    # The middleware reads them when it is loaded.
    os.environ.update(image_transport_environment())
    try:
        # rclpy's own handlers would shut down the context while messages are being sent.
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # base class of rclpy's errors
        # Remove the positions in C sources at the end of the text.
        fault = ' '.join(str(error).partition(', at /')[0].split())
        print(f'{name}: the ROS arguments are invalid: {fault}', file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request_stop)
    try:
        work(stop)
    except HydranetError as error:
        print(f'{name}: {error}', file=sys.stderr)
        return 1
    finally:
        rclpy.shutdown()
    return 0
