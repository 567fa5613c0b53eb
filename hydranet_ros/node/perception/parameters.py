# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The node's parameters: one table that declares, validates and documents them.

The table in the documentation and ``config/hydranet.yaml`` are generated from it; tests check that
they are up to date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
import math
import textwrap
from typing import Any

from hydranet_ros.camera.working_width import MINIMUM_SIZE
from hydranet_ros.errors import HydranetError
from hydranet_ros.runtime.predictor import OUTPUT_SIZES, OutputSize

IMAGE_TRANSPORTS = ('raw', 'compressed')
DEPTH_ENCODINGS = ('32FC1', '16UC1')
MAXIMUM_DEPTH = 10000.0
"""Metres; more than the network can predict."""

Value = str | bool | int | float | Sequence[str]


class Change(Enum):
    """When a parameter can be set."""

    LIVE = 'any time'
    UNCONFIGURED = 'while unconfigured'
    START = 'at start'
    NEVER = 'never, set by the node'


@dataclass(frozen=True)
class Parameter:
    """One row of the table."""

    name: str
    default: Value  # its type is the parameter's type
    description: str  # full sentences
    change: Change = Change.UNCONFIGURED
    unit: str = ''
    minimum: float = -math.inf  # inclusive
    maximum: float = math.inf
    choices: tuple[str, ...] = ()  # empty for any string

    @property
    def allowed(self) -> str:
        """Describe the allowed values; empty if all values are allowed."""
        if self.choices:
            return ', '.join(self.choices)
        if math.isinf(self.maximum):
            return ''
        return f'{self.minimum:g} to {self.maximum:g}{" " if self.unit else ""}{self.unit}'

    def fault(self, value: Any) -> str:
        """Return one sentence that says why a value is invalid; empty if it is valid."""
        kind = type(self.default)
        if isinstance(self.default, str | bool | int | float) and type(value) is not kind:
            name = {str: 'a string', bool: 'true or false', int: 'an integer'}.get(
                kind, 'a number with a decimal point, such as 10.0'
            )
            return f'Parameter {self.name!r} must be {name}, not {value!r}.'
        if self.choices and value not in self.choices:
            return f'Parameter {self.name!r} must be one of {self.allowed}, not {value!r}.'
        # This form of the comparison also rejects NaN.
        if isinstance(value, int | float) and not self.minimum <= value <= self.maximum:
            return f'Parameter {self.name!r} must be {self.allowed}, not {value:g}.'
        return ''


def _depth_limit(name: str, default: float, description: str, minimum: float = 0.0) -> Parameter:
    return Parameter(name, default, description, Change.LIVE, 'm', minimum, MAXIMUM_DEPTH)


PARAMETERS: Mapping[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter(
            'model',
            '',
            'Path of a model file, or name of a model of the package. Empty for the default model '
            'of the package.',
        ),
        Parameter(
            'label_set',
            '',
            'Which label set of the model to predict. Empty for the first.',
            Change.LIVE,
        ),
        Parameter(
            'device',
            'auto',
            'Where the network runs: auto, cpu, cuda or cuda:N; with OpenVINO also gpu, gpu.N or '
            'npu.',
        ),
        Parameter(
            'backend',
            'auto',
            'Runtime of the network: auto, openvino, onnxruntime, torch or torch-compile.',
        ),
        Parameter(
            'precision',
            'auto',
            'Numeric precision of the network. Auto chooses the fastest floating-point precision '
            'of the device.',
            choices=('auto', 'float32', 'bfloat16', 'float16', 'int8'),
        ),
        Parameter(
            'warm_up_height',
            480,
            'Height of the warm-up image. Set it to the height of the camera images, so that the '
            'first frame is not slow.',
            unit='px',
            minimum=32,
            maximum=8192,
        ),
        Parameter(
            'warm_up_width',
            640,
            'Width of the warm-up image.',
            unit='px',
            minimum=32,
            maximum=8192,
        ),
        Parameter(
            'working_width',
            0,
            "Width of the network's input. 0: as close to the image's width as the model's "
            'trained focal lengths allow; -1: images are not resized.',
            unit='px',
            minimum=-1,
            maximum=8192,
        ),
        Parameter(
            'output_size',
            'input',
            "Size of the outputs. input: size of the image; working: size of the network's input.",
            choices=OUTPUT_SIZES,
        ),
        Parameter(
            'image_transport',
            'raw',
            'Raw subscribes to sensor_msgs/Image on image, compressed to '
            'sensor_msgs/CompressedImage (JPEG, PNG) on image/compressed.',
            choices=IMAGE_TRANSPORTS,
        ),
        Parameter(
            'autostart',
            True,
            'Whether the node configures and activates itself when it starts. If false, it waits '
            'for a lifecycle manager or ros2 lifecycle set.',
            change=Change.START,
        ),
        Parameter(
            'depth_encoding',
            '32FC1',
            'Encoding of depth (REP 118): 32FC1 in metres, NaN is invalid; 16UC1 in millimetres '
            'up to 65.535 m, 0 is invalid.',
            choices=DEPTH_ENCODINGS,
        ),
        _depth_limit('depth_minimum', 0.0, 'Smaller depth is published as invalid.'),
        _depth_limit('depth_maximum', MAXIMUM_DEPTH, 'Larger depth is published as invalid.'),
        _depth_limit(
            'depth_color_minimum',
            0.5,
            'Depth at the near end of the colour map of depth/color. The range is fixed, never '
            'fitted to a frame.',
            minimum=0.01,
        ),
        _depth_limit(
            'depth_color_maximum',
            80.0,
            'Depth at the far end of the colour map of depth/color.',
            minimum=0.01,
        ),
        Parameter(
            'image_rectified',
            False,
            'Whether the images are rectified (image_rect). If so, P of camera_info is used, '
            'otherwise K and the distortion coefficients.',
            Change.LIVE,
        ),
        Parameter(
            'points_stride',
            1,
            'Points are made from every N-th row and column. Set 1 for consumers that need a '
            'point for each pixel of segmentation.',
            Change.LIVE,
            'px',
            1,
            64,
        ),
        Parameter(
            'points_maximum_range',
            100.0,
            'Points farther from the camera are published as invalid.',
            Change.LIVE,
            'm',
            0.1,
            10000.0,
        ),
        Parameter(
            'overlay_opacity',
            0.5,
            'Opacity of the class colours in overlay.',
            Change.LIVE,
            '',
            0.0,
            1.0,
        ),
        Parameter(
            'overlay_legend',
            False,
            'Whether the visible classes are listed at the bottom of overlay.',
            Change.LIVE,
        ),
        Parameter(
            'confidence',
            False,
            'Whether confidence is published. It costs a little time per frame.',
        ),
        Parameter(
            'image_timeout',
            2.0,
            'Seconds without an image before diagnostics report an error.',
            change=Change.LIVE,
            unit='s',
            minimum=0.1,
            maximum=3600.0,
        ),
        Parameter(
            'class_names',
            ('',),
            'Class names of segmentation by id, from the model. One empty name until a model is '
            'loaded.',
            change=Change.NEVER,
        ),
    )
}

_ORDERED = (('depth_minimum', 'depth_maximum'), ('depth_color_minimum', 'depth_color_maximum'))


@dataclass(frozen=True)
class Settings:
    """Values of the parameters that users can set; `PARAMETERS` has units and ranges."""

    model: str
    label_set: str
    device: str
    backend: str
    precision: str
    warm_up_height: int
    warm_up_width: int
    working_width: int
    output_size: OutputSize
    image_transport: str
    autostart: bool
    depth_encoding: str
    depth_minimum: float
    depth_maximum: float
    depth_color_minimum: float
    depth_color_maximum: float
    image_rectified: bool
    points_stride: int
    points_maximum_range: float
    overlay_opacity: float
    overlay_legend: bool
    confidence: bool
    image_timeout: float

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Settings:
        """Validate values by name."""
        for name, value in values.items():
            fault = PARAMETERS[name].fault(value)
            if fault:
                raise HydranetError(fault)
        if 0 < values['working_width'] < MINIMUM_SIZE:
            raise HydranetError(
                f"Parameter 'working_width' must be -1, 0 or at least {MINIMUM_SIZE} px, not "
                f'{values["working_width"]}.'
            )
        for lower, upper in _ORDERED:
            if not values[lower] < values[upper]:
                raise HydranetError(
                    f'Parameter {lower!r} ({values[lower]:g} m) must be less than {upper!r} '
                    f'({values[upper]:g} m); set both at once if necessary.'
                )
        return cls(**values)


def user_parameters() -> list[Parameter]:
    """Return the parameters that a user can set."""
    return [p for p in PARAMETERS.values() if p.change is not Change.NEVER]


def markdown_table() -> str:
    """Return the table of parameters for the README."""
    head = ['| Parameter | Default | Allowed | Can be set | Meaning |', '|---|---|---|---|---|']
    rows = [
        f'| `{p.name}` | `{yaml_value(p.default)}` | {p.allowed} | {p.change.value} '
        f'| {p.description} |'
        for p in PARAMETERS.values()
    ]
    return '\n'.join(head + rows) + '\n'


def yaml_file() -> str:
    """Return ``config/hydranet.yaml``: every parameter with its default and a comment."""
    lines = [
        '# Parameters of the perception node and their defaults; copy the file, edit the copy.',
        '# Generated by `make tables` from hydranet_ros/node/perception/parameters.py.',
        '',
        '/**:',
        '  ros__parameters:',
    ]
    for p in user_parameters():
        allowed = f' Allowed: {p.allowed}.' if p.allowed else ''
        comment = f'{p.description}{allowed} Can be set {p.change.value}.'
        lines += textwrap.wrap(comment, 95, initial_indent='    # ', subsequent_indent='    # ')
        lines += [f'    {p.name}: {yaml_value(p.default)}', '']
    lines += [
        '    # The quality of service of each topic can be overridden too, e.g. to request every',
        '    # image of a reliable camera and to publish depth as best effort:',
        '    # qos_overrides:',
        '    #   /image:',
        '    #     subscription: {reliability: reliable}',
        '    #   /depth:',
        '    #     publisher: {reliability: best_effort}',
    ]
    return '\n'.join(lines) + '\n'


def yaml_value(value: Value) -> str:
    """Format a value as YAML that ROS reads with the same type."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, int | float):
        return str(value)
    return f'[{", ".join(yaml_value(item) for item in value)}]'
