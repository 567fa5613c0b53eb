# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Show predictions in the Rerun viewer: images, classes, depth and point clouds.

Needs the optional package ``rerun-sdk``; ROS is not needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import os
from pathlib import Path
import sys
from typing import Any, TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.camera import depth_to_points, RayTable
from hydranet_ros.data.sample import Sample
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import LabelSet, UNLABELED
from hydranet_ros.runtime.predictor import Prediction

if TYPE_CHECKING:
    from rerun import RecordingStream

APPLICATION = 'hydranet_ros'
JPEG_QUALITY = 90
# Viewpoint in the optical frame, as multiples of the median depth of the first image.
_EYE, _TARGET = (0.2, -0.3, -0.3), (0.0, 0.05, 1.0)
_FRUSTUM_LENGTH = 0.15


@dataclass(frozen=True)
class ViewerOptions:
    """How predictions are shown."""

    label_set: LabelSet | None  # of the predicted and annotated labels
    depth_range: tuple[float, float]  # metres at the ends of the colour map
    stride: int = 3  # the cloud has every N-th row and column
    maximum_range: float = 30.0  # metres; farther points are left out of the cloud


class Viewer:
    """
    Logs samples and predictions to a file (`saved`), a window (`spawned`) or a browser (`served`).

    Raises HydranetError if ``rerun-sdk`` is not installed, or the output cannot be opened.
    """

    def __init__(self, connect: Callable[[RecordingStream], None], options: ViewerOptions) -> None:
        self._rr = _import_rerun()
        self._options = options
        self._rays = RayTable()
        self._count = 0
        self._trajectory: list[NDArray[np.float64]] = []
        self._recording = self._rr.RecordingStream(APPLICATION)
        connect(self._recording)

    def show(self, sample: Sample, prediction: Prediction) -> None:
        """Show a sample and its prediction."""
        if self._count == 0:
            self._begin(sample, prediction)
        self._recording.set_time('view', sequence=self._count)
        if sample.time is not None:
            self._recording.set_time('time', duration=sample.time)
        self._count += 1
        rr = self._rr
        self._log('image', rr.Image(sample.image).compress(jpeg_quality=JPEG_QUALITY))
        self._log_values('predicted', prediction.labels, prediction.depth)
        self._log_values('measured', sample.segmentation, sample.depth)
        if sample.camera is not None and prediction.depth is not None:
            self._log_cloud(sample, prediction)

    def close(self) -> None:
        """Complete the recording."""
        self._recording.flush()
        self._recording.disconnect()

    def _log(self, path: str, archetype: Any, *, static: bool = False) -> None:
        self._recording.log(path, archetype, static=static)

    def _begin(self, sample: Sample, prediction: Prediction) -> None:
        """Arrange the viewer for the content of the first sample."""
        rr, label_set = self._rr, self._options.label_set
        self._log('world', rr.ViewCoordinates.RDF, static=True)
        if label_set is not None:
            classes = [
                (index, name, tuple(int(value) for value in color))
                for index, (name, color) in enumerate(
                    zip(label_set.classes, label_set.colors, strict=True)
                )
            ]
            unlabeled = (UNLABELED, 'unlabeled', (0, 0, 0))
            self._log('/', rr.AnnotationContext([*classes, unlabeled]), static=True)
        self._recording.send_blueprint(_layout(sample, prediction))

    def _log_values(
        self, origin: str, labels: NDArray[np.uint8] | None, depth: NDArray[np.float32] | None
    ) -> None:
        """Log labels and depth as images."""
        if labels is not None:
            self._log(f'{origin}/classes', self._rr.SegmentationImage(labels))
        if depth is not None:
            image = self._rr.DepthImage(
                np.nan_to_num(depth),
                meter=1.0,
                depth_range=self._options.depth_range,
                colormap='turbo',
            )
            self._log(f'{origin}/depth', image)

    def _log_cloud(self, sample: Sample, prediction: Prediction) -> None:
        """Log the camera in the world, and the cloud in front of it."""
        assert sample.camera is not None and prediction.depth is not None
        rr, stride, camera = self._rr, self._options.stride, sample.camera
        if sample.pose is not None:
            translation, rotation = sample.pose[:3, 3], sample.pose[:3, :3]
            self._log('world/camera', rr.Transform3D(translation=translation, mat3x3=rotation))
            self._trajectory.append(translation)
            self._log('world/path', rr.LineStrips3D([np.array(self._trajectory)]))
        pinhole = rr.Pinhole(
            image_from_camera=camera.matrix,
            resolution=(camera.width, camera.height),
            camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=_FRUSTUM_LENGTH * _typical_depth(prediction.depth),
        )
        self._log('world/camera/lens', pinhole)
        image = rr.Image(sample.image).compress(jpeg_quality=JPEG_QUALITY)
        self._log('world/camera/lens/image', image)
        rays = self._rays.rays(camera, stride)
        cloud = depth_to_points(prediction.depth, rays, stride, self._options.maximum_range)
        seen = np.isfinite(cloud[..., 0])
        points = cloud[seen]
        # Half the diagonal between neighbouring points, so that surfaces facing the camera have
        # no gaps.
        radii = points[:, 2] * (0.71 * stride / camera.matrix[0, 0])
        colors = sample.image[::stride, ::stride][seen]
        self._log('world/camera/cloud', rr.Points3D(points, radii=radii, colors=colors))
        if prediction.labels is not None:
            labels = prediction.labels[::stride, ::stride][seen]
            classes = rr.Points3D(points, radii=radii, class_ids=labels)
            self._log('world/camera/classes', classes)


def saved(path: Path) -> Callable[[RecordingStream], None]:
    """Return a function that connects a recording to a ``.rrd`` file; ``rerun FILE`` shows it."""

    def connect(recording: RecordingStream) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open('wb').close()
        except OSError as error:
            raise HydranetError(f'{path} cannot be written: {error.strerror}.') from error
        recording.save(path)

    return connect


def spawned() -> Callable[[RecordingStream], None]:
    """Return a function that connects a recording to a window on this machine's screen."""

    def connect(recording: RecordingStream) -> None:
        headless = sys.platform == 'linux' and not (
            os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
        )
        if headless:
            raise HydranetError(
                'There is no screen: serve a browser with --web, or write a file with --save.'
            )
        recording.spawn()

    return connect


def served(
    web_port: int, data_port: int, tell: Callable[[str], None]
) -> Callable[[RecordingStream], None]:
    """
    Return a function that connects a recording to a web server on two TCP ports.

    The server runs as long as this process. `tell` is called with the address for browsers.
    """

    def connect(recording: RecordingStream) -> None:
        rr = _import_rerun()
        try:
            data = rr.serve_grpc(grpc_port=data_port, recording=recording)
            rr.serve_web_viewer(web_port=web_port, open_browser=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise HydranetError(
                f'The viewer cannot be served on ports {web_port} and {data_port}: {error}; '
                'choose other ports with --web-port and --data-port.'
            ) from error
        tell(f'http://localhost:{web_port}/?url={quote(data, safe="")}')

    return connect


def _layout(sample: Sample, prediction: Prediction) -> Any:
    """Arrange the windows for the available data."""
    import rerun.blueprint as rrb

    pictures = [rrb.Spatial2DView(origin='image', name='Image')]
    for origin, labels, depth in (
        ('predicted', prediction.labels, prediction.depth),
        ('measured', sample.segmentation, sample.depth),
    ):
        if labels is not None:
            path = f'{origin}/classes'
            pictures.append(rrb.Spatial2DView(origin=path, name=f'Classes, {origin}'))
        if depth is not None:
            pictures.append(rrb.Spatial2DView(origin=f'{origin}/depth', name=f'Depth, {origin}'))
    row = rrb.Horizontal(*pictures)
    if sample.camera is None or prediction.depth is None:
        return rrb.Blueprint(row, collapse_panels=True)
    scale = _typical_depth(prediction.depth)
    controls = rrb.EyeControls3D(
        position=scale * np.array(_EYE),
        look_target=scale * np.array(_TARGET),
        eye_up=(0.0, -1.0, 0.0),
    )
    shown = [('Scene', 'classes')]
    if prediction.labels is not None:
        shown.append(('Classes in space', 'cloud'))
    scenes = [
        rrb.Spatial3DView(
            origin='world/camera',  # so that the eye moves with the camera
            name=name,
            contents=['world/**', f'- world/camera/{hidden}'],
            eye_controls=controls,
            background=[24, 24, 24],
            line_grid=False,
        )
        for name, hidden in shown
    ]
    return rrb.Blueprint(
        rrb.Vertical(rrb.Horizontal(*scenes), row, row_shares=[3, 2]), collapse_panels=True
    )


def _typical_depth(depth: NDArray[np.float32]) -> float:
    """Return the median depth in metres, or 1 if no pixel is valid."""
    valid = depth[np.isfinite(depth) & (depth > 0)]
    return float(np.median(valid)) if valid.size else 1.0


def _import_rerun() -> Any:
    """Import the SDK, which is optional."""
    try:
        import rerun
    except ImportError as error:
        raise HydranetError(
            'The viewer needs the package rerun-sdk: install it with pip install rerun-sdk.'
        ) from error
    return rerun
