# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Start, watch and stop the processes of a ROS graph without ``ros2 launch``."""

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

# Domains 1 to 100: Linux does not assign their ports to other programs.
_DOMAINS = 100
_POLL = 0.05  # s
_PATIENCE = 10.0  # s for a process to end after SIGTERM
_LINES_SHOWN = 12


def private_graph_environment(log_folder: Path) -> dict[str, str]:
    """
    Return the environment variables of a ROS graph that is separate from all others.

    ROS writes its logs to ``log_folder``.
    """
    return {
        'ROS_DOMAIN_ID': str(_unused_domain()),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        # The variable of Humble; later distributions warn about it.
        **({'ROS_LOCALHOST_ONLY': '1'} if os.environ.get('ROS_DISTRO') == 'humble' else {}),
        'ROS_LOG_DIR': str(log_folder),
        **image_transport_environment(),
    }


def _unused_domain() -> int:
    """Return a ROS domain that has no participant on this machine."""
    offset = os.getpid()
    domains = [1 + (offset + index) % _DOMAINS for index in range(_DOMAINS)]
    return next((domain for domain in domains if _is_unused(domain)), domains[0])


def _is_unused(domain: int) -> bool:
    """Return whether the port of a domain's first participant is free (DDSI-RTPS)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('', 7410 + 250 * domain))
        except OSError:
            return False
    return True


@dataclass(frozen=True, eq=False)
class RunningProcess:
    """A process that was started."""

    spec: ProcessSpec
    popen: subprocess.Popen[bytes]
    log: Path  # file that receives the output of the process

    def last_lines(self) -> str:
        """Return the last lines of the output of the process."""
        lines = self.log.read_text(errors='replace').splitlines()
        return '\n'.join(f'  {line}' for line in lines[-_LINES_SHOWN:])


class ProcessGroup:
    """
    Processes that are stopped together when the context manager exits.

    The output of each process goes to its own file in ``log_folder``. ``environment`` is added to
    the variables of the current process.
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
                # Not SIGINT: a process started in the background ignores SIGINT at first.
                process.popen.terminate()
            for process in self._running:
                _await_end(process)

    def start(self, spec: ProcessSpec) -> RunningProcess:
        """Start a process."""
        log = self._log_folder / f'{spec.name}.log'
        # An interrupt between Popen and append would leave the process running.
        with log.open('wb') as output, _signals_deferred():
            try:
                popen = subprocess.Popen(
                    command_line(spec),
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C then reaches only the current process, which stops the others.
                    start_new_session=True,
                )
            except OSError as error:
                raise HydranetError(f'{spec.executable} cannot be started: {error}') from error
            process = RunningProcess(spec, popen, log)
            self._running.append(process)
        return process

    def wait(self, *processes: RunningProcess, timeout: float) -> None:
        """
        Wait until these processes have ended.

        Raises HydranetError if one of them fails or takes longer than ``timeout`` seconds, or if
        any other process of the group ends.
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
                raise _failure(waiting.pop(), f'did not end within {timeout:.0f} s')
            time.sleep(_POLL)


def _await_end(process: RunningProcess) -> None:
    """Wait for a process after SIGTERM, and kill it if it does not end."""
    try:
        process.popen.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.popen.kill()
        process.popen.wait()


def _failure(process: RunningProcess, what: str) -> HydranetError:
    """Return an error with the last lines of a process's output."""
    return HydranetError(f'The process {process.spec.name} {what}:\n{process.last_lines()}')


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Delay the handling of SIGINT and SIGTERM until the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread sets and runs signal handlers
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
