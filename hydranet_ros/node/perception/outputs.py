# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The table of the node's outputs, one entry per topic.

Each entry names the field of the prediction that it needs. The node publishes the outputs whose
field the model predicts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from hydranet_ros.camera.camera import Camera, depth_to_millimetres, RayTable
from hydranet_ros.camera.points import organized_cloud
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import LabelSet, UNLABELED
from hydranet_ros.node.perception import label_info
from hydranet_ros.node.perception.output_messages import (
    array_to_image,
    array_to_png,
    camera_info_for,
    cloud_message,
)
from hydranet_ros.node.perception.parameters import Settings
from hydranet_ros.pictures.render import (
    colorize_depth,
    colorize_labels,
    colorize_normals,
    overlay,
    overlay_legend,
)
from hydranet_ros.runtime.predictor import Prediction


@dataclass(frozen=True, eq=False)
class Frame:
    """The data that outputs are built from."""

    header: Header  # of the input image; outputs have the same header
    prediction: Prediction
    settings: Settings
    label_set: LabelSet | None = None  # None without segmentation
    camera_info: CameraInfo | None = None  # of the input, None without calibration
    rgb: RgbImage | None = None  # the input
    camera: Camera | None = None  # from camera_info, for the size of the image
    rays: RayTable = field(default_factory=RayTable)  # cached between frames

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """H×W float32 metres, NaN where invalid or outside the user's limits."""
        depth = _present(self.prediction.depth)
        lower, upper = self.settings.depth_minimum, self.settings.depth_maximum
        with np.errstate(invalid='ignore'):
            outside = ~((depth >= lower) & (depth <= upper))
        return np.where(outside, np.float32(np.nan), depth) if outside.any() else depth


@dataclass(frozen=True)
class Output:
    """One topic."""

    topic: str  # relative name
    field: str  # of the prediction, needed for this output
    message_type: type
    build: Callable[[Frame], Any]
    """Builds the message or returns None; raises HydranetError if the user can fix the cause."""
    content: str  # description for the documentation


def _segmentation(frame: Frame) -> Image:
    return array_to_image(_present(frame.prediction.labels), 'mono8', frame.header)


def _segmentation_color(frame: Frame) -> Image:
    labels, label_set = _present(frame.prediction.labels), _present(frame.label_set)
    return array_to_image(colorize_labels(labels, label_set), 'rgb8', frame.header)


def _segmentation_png(frame: Frame) -> CompressedImage:
    return array_to_png(_present(frame.prediction.labels), frame.header)


def _overlay(frame: Frame) -> Image:
    labels, label_set = _present(frame.prediction.labels), _present(frame.label_set)
    picture = overlay(_present(frame.rgb), labels, label_set, frame.settings.overlay_opacity)
    if frame.settings.overlay_legend:
        overlay_legend(picture, labels, label_set)
    return array_to_image(picture, 'rgb8', frame.header)


def _confidence(frame: Frame) -> Image:
    return array_to_image(_present(frame.prediction.confidence), 'mono8', frame.header)


def _depth(frame: Frame) -> Image:
    encoding = frame.settings.depth_encoding
    depth = frame.depth if encoding == '32FC1' else depth_to_millimetres(frame.depth)
    return array_to_image(depth, encoding, frame.header)


def _depth_camera_info(frame: Frame) -> CameraInfo | None:
    if frame.camera_info is None:
        return None
    height, width = _present(frame.prediction.depth).shape
    return camera_info_for(frame.camera_info, frame.header, width, height)


def _depth_color(frame: Frame) -> Image:
    settings = frame.settings
    colors = colorize_depth(
        frame.depth, settings.depth_color_minimum, settings.depth_color_maximum
    )
    return array_to_image(colors, 'rgb8', frame.header)


def _points(frame: Frame) -> PointCloud2:
    if frame.camera is None:
        raise HydranetError(
            "Output 'points' needs the camera calibration: publish camera_info with frame_id "
            f'{frame.header.frame_id!r}.'
        )
    stride = frame.settings.points_stride
    labels = frame.prediction.labels
    if labels is None:
        labels = np.full(frame.depth.shape, UNLABELED, np.uint8)
    cloud = organized_cloud(
        frame.depth,
        frame.rays.rays(frame.camera, stride),
        _present(frame.rgb),
        labels,
        stride=stride,
        maximum_range=frame.settings.points_maximum_range,
    )
    return cloud_message(cloud, frame.header)


def _normals(frame: Frame) -> Image:
    return array_to_image(_present(frame.prediction.normals), '32FC3', frame.header)


def _normals_color(frame: Frame) -> Image:
    colors = colorize_normals(_present(frame.prediction.normals))
    return array_to_image(colors, 'rgb8', frame.header)


OUTPUTS = (
    Output(
        'segmentation',
        'labels',
        Image,
        _segmentation,
        'mono8: class ids, see parameter `class_names`; 255 is unlabelled',
    ),
    Output(
        'segmentation/color', 'labels', Image, _segmentation_color, 'rgb8: colours of the classes'
    ),
    Output(
        'segmentation/compressed',
        'labels',
        CompressedImage,
        _segmentation_png,
        'lossless PNG of `segmentation`',
    ),
    Output(
        'overlay',
        'labels',
        Image,
        _overlay,
        'rgb8: the image mixed with the colours of the classes (parameters `overlay_opacity`, '
        '`overlay_legend`)',
    ),
    Output(
        'confidence',
        'confidence',
        Image,
        _confidence,
        'mono8: 255 × probability of the class; only with parameter `confidence`',
    ),
    Output(
        'depth',
        'depth',
        Image,
        _depth,
        '32FC1: metres along the optical axis, NaN is invalid; or 16UC1: millimetres, 0 is '
        'invalid (parameter `depth_encoding`, REP 118)',
    ),
    Output(
        'depth/camera_info',
        'depth',
        CameraInfo,
        _depth_camera_info,
        'the calibration of the input, scaled to the size of `depth`; only with a calibrated '
        'camera',
    ),
    Output(
        'depth/color',
        'depth',
        Image,
        _depth_color,
        'rgb8: depth in colours of a fixed range, near is warm; black is invalid',
    ),
    Output(
        'points',
        'depth',
        PointCloud2,
        _points,
        'x y z rgb label, organised like the image (parameter `points_stride`), NaN is invalid; '
        'only with a calibrated camera',
    ),
    Output(
        'normals',
        'normals',
        Image,
        _normals,
        '32FC3: unit surface normals in the optical frame; only for models with this task',
    ),
    Output(
        'normals/color',
        'normals',
        Image,
        _normals_color,
        'rgb8: `normals` in colours, x, y and z from -1 to 1 as red, green and blue',
    ),
)


def available_outputs(fields: Collection[str]) -> tuple[Output, ...]:
    """Return the outputs for which these fields of a prediction suffice."""
    return tuple(output for output in OUTPUTS if output.field in fields)


def markdown_table() -> str:
    """Return the table of output topics for the README."""
    rows = [
        f'| `{output.topic}` | sensor_msgs/{output.message_type.__name__} | {output.content} |'
        for output in OUTPUTS
    ]
    rows.append(f'| `{label_info.TOPIC}` | {label_info.TYPE} | {label_info.CONTENT} |')
    return '\n'.join(['| Topic | Type | Content |', '|---|---|---|', *rows]) + '\n'


def _present(value: Any) -> Any:
    assert value is not None
    return value
