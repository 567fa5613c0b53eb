# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Start, watch and end the processes of a ROS graph where there is no ``ros2 launch``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import socket
import subprocess
import threading
import time

from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_specs import (
    command_line,
    image_transport_environment,
    ProcessSpec,
)

# Domains 1 to 100: those whose ports Linux does not hand out to others.
_DOMAINS = 100
_POLL = 0.05  # s
_PATIENCE = 10.0  # s for a process to end after it was asked to
_LINES_SHOWN = 12


def private_graph_environment(log_folder: Path) -> dict[str, str]:
    """
    Return the variables of a ROS graph that no other one on the network takes part in.

    Parameters
    ----------
    log_folder
        Where ROS writes its logs.

    """
    return {
        'ROS_DOMAIN_ID': str(_unused_domain()),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        # Humble's word for it, which later distributions complain of.
        **({'ROS_LOCALHOST_ONLY': '1'} if os.environ.get('ROS_DISTRO') == 'humble' else {}),
        'ROS_LOG_DIR': str(log_folder),
        **image_transport_environment(),
    }


def _unused_domain() -> int:
    """Return a ROS domain in which nobody on this machine takes part."""
    offset = os.getpid()
    domains = [1 + (offset + index) % _DOMAINS for index in range(_DOMAINS)]
    return next((domain for domain in domains if _is_unused(domain)), domains[0])


def _is_unused(domain: int) -> bool:
    """Tell whether the port is free that the first participant of a domain binds (DDSI-RTPS)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', 7410 + 250 * domain))
        except OSError:
            return False
    return True


@dataclass(frozen=True, eq=False)
class RunningProcess:
    """A process that was started."""

    spec: ProcessSpec  # what it is
    popen: subprocess.Popen[bytes]  # its handle
    log: Path  # file with all that it prints

    def last_lines(self) -> str:
        """Return the end of what it printed."""
        lines = self.log.read_text(errors='replace').splitlines()
        return '\n'.join(f'  {line}' for line in lines[-_LINES_SHOWN:])


class ProcessGroup:
    """
    Processes that belong together; as a context manager it leaves none of them running.

    Parameters
    ----------
    log_folder
        Where their output goes, one file each.
    environment
        Variables to add to this process's own.

    """

    def __init__(self, log_folder: Path, environment: Mapping[str, str]) -> None:
        self._log_folder = log_folder
        self._environment = {**os.environ, **environment}
        self._running: list[RunningProcess] = []

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, *_: object) -> None:
        with _signals_deferred():
            for process in self._running:
                # Not SIGINT, which a process begins by ignoring if it starts in the background.
                process.popen.terminate()
            for process in self._running:
                _await_end(process)

    def start(self, spec: ProcessSpec) -> RunningProcess:
        """
        Start a process.

        Raises HydranetError if its executable is not installed.
        """
        log = self._log_folder / f'{spec.name}.log'
        # An interrupt between the start and the note of it would leave the process behind.
        with log.open('wb') as output, _signals_deferred():
            try:
                popen = subprocess.Popen(
                    command_line(spec),
                    env={**self._environment, **spec.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C is for us, who then end them in order.
                    start_new_session=True,
                )
            except OSError as error:
                raise HydranetError(f'{spec.executable} cannot be started: {error}') from error
            process = RunningProcess(spec, popen, log)
            self._running.append(process)
        return process

    def wait(self, *processes: RunningProcess, timeout: float) -> None:
        """
        Wait until some processes have done their work, while the others go on.

        Raises HydranetError if one fails or takes longer than ``timeout`` seconds, or another one
        ends meanwhile.
        """
        deadline = time.monotonic() + timeout
        waiting = set(processes)
        while waiting:
            for process in self._running.copy():
                status = process.popen.poll()
                if status == 0 and process in waiting:
                    waiting.remove(process)
                    self._running.remove(process)
                elif status is not None:
                    raise _failure(process, f'ended early with status {status}')
            if time.monotonic() > deadline:
                raise _failure(waiting.pop(), f'was not done after {timeout:.0f} s')
            time.sleep(_POLL)


def _await_end(process: RunningProcess) -> None:
    """Wait for a process that was asked to end; one that does not is killed."""
    try:
        process.popen.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.popen.kill()
        process.popen.wait()


def _failure(process: RunningProcess, what: str) -> HydranetError:
    """Say what happened to a process, with the end of its output."""
    return HydranetError(f'The process {process.spec.name} {what}:\n{process.last_lines()}')


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Let SIGINT and SIGTERM take effect only afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread, and only there can they be set
        return
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, _: caught.append(number)) for n in numbers}
    try:
        yield
    finally:
        for deferred, handler in before.items():
            signal.signal(deferred, handler)
        for number in caught:
            signal.raise_signal(number)
