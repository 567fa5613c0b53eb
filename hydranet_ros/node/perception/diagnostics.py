# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The node's diagnostics: state, statistics, and the reason if no result is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from hydranet_ros.node.perception.frame_processor import InputFacts
from hydranet_ros.node.perception.statistics import Snapshot, WINDOW

PROFILE_HINT = (
    'start the camera driver and this node with config/fastdds_images.xml, so that images fit the '
    'shared memory of Fast DDS (docs/reference/node.md)'
)

_RESTING = {
    'unconfigured': 'Unconfigured: waiting to be configured and activated.',
    'inactive': 'Inactive: waiting to be activated.',
    'finalized': 'Finalized: restart the process to use it again.',
}


class Level(IntEnum):
    """Severity of a diagnostic status."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Report:
    """The input of the diagnostics."""

    state: str  # of the lifecycle: unconfigured, inactive, active or finalized
    statistics: Snapshot = field(default_factory=Snapshot)  # since activation
    fault: str = ''  # why the last transition failed
    incompatible_qos: str = ''  # why the last incompatible publisher is not received
    image_topic: str = ''  # absolute name
    image_type: str = ''  # expected message type, e.g. sensor_msgs/msg/Image
    publisher_types: Sequence[str] = ()  # message type of each publisher on image_topic
    image_timeout: float = 2.0  # seconds after which a missing image is an error
    input_facts: InputFacts | None = None  # of the last processed frame
    camera_info_frame: str | None = None
    """frame_id of the latest camera_info, None before the first."""
    facts: Mapping[str, str] = field(default_factory=dict)  # model, backend, device, precision


def assess(report: Report) -> tuple[Level, str]:
    """Return the severity of the node's state, and a sentence that explains it."""
    if report.fault:
        return Level.ERROR, f'{report.state.capitalize()}: {report.fault}'
    if report.state in _RESTING:
        return Level.WARN, _RESTING[report.state]
    statistics = report.statistics
    waited = statistics.uptime if statistics.since_image is None else statistics.since_image
    if waited > report.image_timeout:
        return Level.ERROR, _why_no_image(report, waited)
    if _recent(statistics.since_failure):
        return _failing(statistics)
    if statistics.since_image is None:
        return Level.OK, f'Waiting for the first image on {report.image_topic}.'
    if _recent(statistics.since_loss):
        return Level.WARN, f'{statistics.lost} images were lost in transport; {PROFILE_HINT}.'
    if _idle(statistics):
        return Level.OK, 'Idle: no output has a subscriber.'
    facts = report.input_facts
    if facts is not None and facts.fault:
        return Level.WARN, facts.fault
    if facts is not None and facts.scale_assumed:
        return Level.WARN, _why_scale_assumed(report, facts)
    return Level.OK, f'Running at {statistics.rate:.1f} Hz.'


def diagnostic_array(report: Report, name: str, stamp: Time) -> DiagnosticArray:
    """Build the message; ``name`` is the node's absolute name."""
    level, message = assess(report)
    status = DiagnosticStatus(
        level=bytes([level]),
        name=f'{name.lstrip("/")}: perception',
        message=message,
        hardware_id=report.facts.get('device', ''),
        values=[KeyValue(key=key, value=value) for key, value in key_values(report).items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array


def key_values(report: Report) -> dict[str, str]:
    """Return the statistics and facts of a report, as strings by name."""
    statistics = report.statistics
    values = {
        'state': report.state,
        'rate (Hz)': f'{statistics.rate:.2f}',
        'images received': str(statistics.received),
        'images processed': str(statistics.processed),
        'images dropped': str(statistics.dropped),
        'images idle': str(statistics.idle),
        'images failed': str(statistics.failed),
        'images lost in transport': str(statistics.lost),
        'last error': statistics.last_error,
    }
    for stage, percentiles in statistics.durations.items():
        values[f'{stage} p50 (ms)'] = f'{1e3 * percentiles.p50:.1f}'
        values[f'{stage} p95 (ms)'] = f'{1e3 * percentiles.p95:.1f}'
    facts = report.input_facts
    if facts is not None:
        values['image size'] = f'{facts.width}x{facts.height}'
        values['network input size'] = facts.working_size
        values['image frame_id'] = facts.frame_id
        values['camera_info'] = 'used' if facts.calibrated else 'none for this frame_id'
        values['depth scale'] = 'assumed' if facts.scale_assumed else 'known'
    return {**values, **report.facts}


def _recent(seconds: float | None) -> bool:
    """Return whether an event is less than one statistics window old."""
    return seconds is not None and seconds < WINDOW


def _idle(statistics: Snapshot) -> bool:
    """Return whether no output had a subscriber when the latest image arrived."""
    if statistics.since_idle is None:
        return False
    return statistics.since_processed is None or statistics.since_idle < statistics.since_processed


def _failing(statistics: Snapshot) -> tuple[Level, str]:
    """Warn about single bad images; report an error if no image is processed."""
    succeeded_since = (
        statistics.since_processed is not None
        and statistics.since_failure is not None
        and statistics.since_processed < statistics.since_failure
    )
    level = Level.WARN if succeeded_since else Level.ERROR
    return level, f'{statistics.failed} images failed; the last: {statistics.last_error}'


def _why_no_image(report: Report, waited: float) -> str:
    """Return a sentence that names the missing input and its likely cause."""
    others = sorted(set(report.publisher_types) - {report.image_type})
    if report.incompatible_qos:
        cause = report.incompatible_qos
    elif not report.publisher_types:
        cause = 'it has no publisher'
    elif others and report.image_type not in report.publisher_types:
        cause = f'its type is {others[0]}, not {report.image_type} (parameter image_transport)'
    else:
        cause = f'it has {len(report.publisher_types)} publisher(s) but no image arrives; '
        cause += PROFILE_HINT
    return f'No image on {report.image_topic} for {waited:.1f} s: {cause}.'


def _why_scale_assumed(report: Report, facts: InputFacts) -> str:
    """Return a sentence that explains why the scale of depth is not known."""
    if report.camera_info_frame is None:
        cause = 'no camera_info arrives'
    elif not facts.calibrated:
        cause = (
            f'camera_info is for frame {report.camera_info_frame!r} and the images are for '
            f'{facts.frame_id!r}'
        )
    else:
        cause = 'camera_info has no focal length'
    return f'Depth is scaled with an assumed focal length because {cause}.'
