# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""How every process of the package starts and ends: signals, exit status, faults."""

from __future__ import annotations

from collections.abc import Callable
import signal
import sys
import threading

import rclpy
from rclpy.signals import SignalHandlerOptions

from hydranet_ros.errors import HydranetError


def run_process(name: str, work: Callable[[threading.Event], None]) -> int:
    """
    Run a process's work until it is done or the process is asked to end.

    Parameters
    ----------
    name
        What the user's messages begin with.
    work
        Called with an event that SIGINT and SIGTERM set, with rclpy initialised.

    Returns
    -------
    Exit status: 0, also after a signal; 1 after a fault that was told on the console.

    """
    stop = threading.Event()

    def request_stop(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)  # so that a second one ends a process that hangs

    try:
        # rclpy's own handlers would end the context while messages are still under way.
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # the base of what rclpy raises; it ends with lines of C code
        fault = ' '.join(str(error).partition(', at /')[0].split())
        print(f'{name}: the ROS arguments cannot be used: {fault}', file=sys.stderr)
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
