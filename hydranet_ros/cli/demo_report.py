# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The output of the demo: a table, a video and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.bags.recording import last_diagnostics, match_by_stamp, result_times, ResultTimes
from hydranet_ros.cli.demo_input import CameraBag
from hydranet_ros.cli.demo_model import DemoModel
from hydranet_ros.data.media import VideoWriter, write_image
from hydranet_ros.errors import HydranetError
from hydranet_ros.launching.process_specs import NODE_NAME
from hydranet_ros.messages.annotations import image_values
from hydranet_ros.messages.images import message_to_rgb
from hydranet_ros.pictures.panels import (
    banner,
    contact_sheet,
    legends,
    mosaic,
    Panel,
    result_panels,
)

SHEET_FRAMES = 4


def print_table(camera: CameraBag, model: DemoModel, recording: Path) -> None:
    """
    Print rates and latencies, from the recorded stamps and the node's diagnostics.

    Raises HydranetError if the node published no result.
    """
    with BagReader(recording) as bag:
        times = _result_times(bag, camera, model)
        node = last_diagnostics(bag, NODE_NAME)
    rows = [
        ('frames played', f'{camera.count}', f'{_rate(camera):.1f} Hz'),
        ('frames processed', f'{times.count}', f'{times.rate:.1f} Hz'),
        ('frames dropped', f'{camera.count - times.count}', 'a newer frame arrived first'),
        ('latency p50 / p95', _percentiles(times.latencies), 'image received to result received'),
        ('age p50 / p95', _percentiles(times.ages), "image's stamp to result received"),
    ]
    forward = [node.get(f'predict/forward {p} (ms)', '') for p in ('p50', 'p95')]
    if all(forward):
        where = ', '.join(node[key] for key in ('backend', 'device', 'precision'))
        rows.append(
            ('network p50 / p95', f'{" / ".join(forward)} ms', f'of the last frames; {where}')
        )
    print()
    for name, value, note in rows:
        print(f'{name:20}{value:>18}  {note}')
    print()


def write_pictures(camera: CameraBag, model: DemoModel, recording: Path, output: Path) -> None:
    """Write the video and the contact sheet, and print the paths of all results."""
    with BagReader(recording) as bag:
        times = _result_times(bag, camera, model)
        shown = set(np.linspace(0, times.count - 1, SHEET_FRAMES + 2).round().astype(int)[1:-1])
        rows = []
        with VideoWriter(output / 'demo.mp4', min(max(times.rate, 1.0), 60.0)) as film:
            frames = tqdm(
                _frames(bag, camera, model),
                'Drawing',
                total=times.count,
                unit='frame',
                leave=False,
                disable=None,
            )
            for index, panels in enumerate(frames):
                film.write(_film_picture(panels, camera, model))
                if index in shown:
                    rows.append(panels)
    sheet = contact_sheet(
        rows,
        model.look,
        title=f'{camera.name}, {model.name}',
        note=f'{times.rate:.1f} of {_rate(camera):.1f} frames/s, '
        f'result {1e3 * np.median(times.ages):.0f} ms after the image',
        warning=model.warning,
        panel_width=400,
    )
    write_image(output / 'contact_sheet.png', sheet)
    for name, what in (
        ('demo.mp4', 'video of the results'),
        ('contact_sheet.png', 'some of the results with legends'),
        ('bag', 'rosbag2 of images, results and diagnostics'),
    ):
        print(f'{output / name}: {what}')
    if model.warning:
        print(model.warning)


def _rate(camera: CameraBag) -> float:
    """Return the camera's images per second, 0 for fewer than two."""
    return (camera.count - 1) / camera.duration if camera.duration > 0 else 0.0


def _result_times(bag: BagReader, camera: CameraBag, model: DemoModel) -> ResultTimes:
    """Return the arrival times of the last result of each frame."""
    topic = list(model.results.values())[-1]
    if topic not in bag.topics or bag.topics[topic].count == 0:
        reason = last_diagnostics(bag, NODE_NAME).get('last error') or 'it reported no error'
        raise HydranetError(f'The perception node published nothing on {topic}: {reason}')
    return result_times(bag, camera.image_topic, topic)


def _frames(bag: BagReader, camera: CameraBag, model: DemoModel) -> Iterator[list[Panel]]:
    """Yield the pictures of each processed frame."""
    topics = (camera.image_topic, *model.results.values())
    for frame in match_by_stamp(bag.messages(topics), topics):
        rgb = message_to_rgb(bag.decode(frame[camera.image_topic]))
        results = {
            field: image_values(bag.decode(frame[topic])) for field, topic in model.results.items()
        }
        yield [Panel('image', rgb), *result_panels(rgb, results, model.look)]


def _film_picture(panels: list[Panel], camera: CameraBag, model: DemoModel) -> NDArray[np.uint8]:
    """Compose one frame of the video."""
    picture = mosaic(panels)
    width = picture.shape[1]
    head = banner(
        width, model.warning or f'{camera.name}, {model.name}', warning=bool(model.warning)
    )
    names = [panel.name for panel in panels]
    return np.concatenate([head, picture, legends(names, model.look, width)])


def _percentiles(seconds: NDArray[np.float64]) -> str:
    """Return median and 95th percentile in milliseconds."""
    middle, high = 1e3 * np.percentile(seconds, (50, 95)) if len(seconds) else (np.nan, np.nan)
    return f'{middle:.0f} / {high:.0f} ms'
