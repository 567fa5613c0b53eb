# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Start, watch and end the processes of a ROS graph where there is no ``ros2 launch``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import subprocess
import time

from hydranet_ros.deployment import command_line, image_transport_environment, ProcessSpec
from hydranet_ros.errors import HydranetError

# Domains above 101 need ports that some systems hand out to others.
_DOMAINS = 101
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
        'ROS_DOMAIN_ID': str(1 + os.getpid() % _DOMAINS),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_LOG_DIR': str(log_folder),
        **image_transport_environment(),
    }


@dataclass(frozen=True)
class RunningProcess:
    """
    A process that was started.

    Attributes
    ----------
    spec
        What it is.
    popen
        Its handle.
    log
        File with all that it prints.

    """

    spec: ProcessSpec
    popen: subprocess.Popen[bytes]
    log: Path

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
        for process in reversed(self._running.copy()):
            self.stop(process)

    def start(self, spec: ProcessSpec) -> RunningProcess:
        """
        Start a process.

        Raises
        ------
        HydranetError
            If its executable is not installed.

        """
        log = self._log_folder / f'{spec.name}.log'
        with log.open('wb') as output:
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

    def wait(self, process: RunningProcess, timeout: float) -> None:
        """
        Wait until a process has done its work, while the others go on.

        Raises
        ------
        HydranetError
            If it fails or takes longer than ``timeout`` seconds, or another one ends meanwhile.

        """
        deadline = time.monotonic() + timeout
        while process.popen.poll() is None:
            for other in self._running:
                if other is not process and other.popen.poll() is not None:
                    raise _failure(other, f'ended early with status {other.popen.returncode}')
            if time.monotonic() > deadline:
                raise _failure(process, f'was not done after {timeout:.0f} s')
            time.sleep(_POLL)
        if process.popen.returncode:
            raise _failure(process, f'failed with status {process.popen.returncode}')
        self._running.remove(process)

    def stop(self, process: RunningProcess) -> None:
        """Ask a process to end, and end it if it does not."""
        self._running.remove(process)
        if process.popen.poll() is None:
            process.popen.send_signal(signal.SIGINT)
        try:
            process.popen.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.popen.kill()
            process.popen.wait()


def _failure(process: RunningProcess, what: str) -> HydranetError:
    """Say what happened to a process, with the end of its output."""
    return HydranetError(f'The process {process.spec.name} {what}:\n{process.last_lines()}')
