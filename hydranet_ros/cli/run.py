# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet run``: write predictions of images, videos or a camera to files, without ROS."""

from __future__ import annotations

import argparse
from contextlib import nullcontext, suppress
from itertools import islice
from pathlib import Path
import sys
from typing import TYPE_CHECKING

from hydranet_ros.cli.common import (
    add_runtime_arguments,
    add_topic_arguments,
    add_working_width,
    open_predictor,
)
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.data.media import FrameSource
    from hydranet_ros.pictures.result_writer import ResultWriter
    from hydranet_ros.runtime.predictor import Predictor

HELP = 'predict an image, a folder, a video, a bag or a camera, and write the results to files'


_MOST_NOTES = 5
"""Sentences about the sizes of images."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, or the name of a shipped model')
    parser.add_argument(
        'input',
        help='image, folder of images, folder with image/ and camera-intrinsics.txt, video, bag, '
        'or index of a camera',
    )
    parser.add_argument('-o', '--output', type=Path, required=True, help='folder for the results')
    parser.add_argument('--label-set', help='label set of the model (default: the first)')
    parser.add_argument(
        '--fx',
        type=float,
        help='focal length of the camera in pixels (default: from camera_info of a bag, '
        'camera-intrinsics.txt of a folder, or EXIF of a photo)',
    )
    parser.add_argument(
        '--depth-format',
        choices=('png', 'npy'),
        default='png',
        help='format of raw depth: 16-bit PNG in millimetres with 0 invalid (default), or .npy in '
        'float32 metres; only .npy keeps depth beyond 65.535 m',
    )
    parser.add_argument(
        '--depth-colors',
        type=float,
        nargs=2,
        metavar=('NEAR', 'FAR'),
        help='depths in metres at the ends of the colour map (default: fitted to the first '
        'frames)',
    )
    parser.add_argument('--max-frames', type=int, metavar='N', help='stop after N frames')
    add_topic_arguments(parser, tasks=())
    add_runtime_arguments(parser)
    add_working_width(parser)


def run(arguments: argparse.Namespace) -> int:
    """Predict every frame of the input; return 1 if any frame failed."""
    from hydranet_ros.pictures.panels import depth_colors, Look
    from hydranet_ros.pictures.result_writer import ResultWriter

    source = _open_input(arguments)
    predictor = open_predictor(arguments)
    try:
        depth_range = depth_colors(predictor.metadata.depth_range, arguments.depth_colors)
        look = Look(predictor.label_set, depth_range)
        film = arguments.output / f'{source.name}.mp4'
        with ResultWriter(
            arguments.output,
            look,
            fit_depth=arguments.depth_colors is None,
            depth_format=arguments.depth_format,
            title=f'{predictor.metadata.name} on {source.name}',
            film=None if source.rate is None else (film, source.rate),
        ) as writer:
            failed = _predict_all(source, predictor, writer, arguments)
    finally:
        predictor.close()
    if failed:
        print(f'hydranet run: {failed} frames failed, see above.', file=sys.stderr)
    return 1 if failed else 0


def _open_input(arguments: argparse.Namespace) -> FrameSource:
    """Open the input: a bag, or a source of `open_source`."""
    from hydranet_ros.bags.bag_files import is_bag
    from hydranet_ros.bags.samples import open_bag_frames
    from hydranet_ros.data.media import open_source

    path = Path(arguments.input).expanduser()
    taken, output = path.resolve(), arguments.output.resolve()
    if taken.is_dir() and (taken == output or (taken.parent == output and taken.name == 'image')):
        raise HydranetError(
            f'The output {arguments.output} would overwrite the input {path}; choose another '
            'folder.'
        )
    if is_bag(path):
        return open_bag_frames(path, image=arguments.image, camera_info=arguments.camera_info)
    return open_source(arguments.input)


def _predict_all(
    source: FrameSource,
    predictor: Predictor,
    writer: ResultWriter,
    arguments: argparse.Namespace,
) -> int:
    """Write the results of all frames; return how many frames failed."""
    from tqdm import tqdm

    from hydranet_ros.runtime.working_size import about_resizing, untrained_fault

    counts = [n for n in (source.count, arguments.max_frames) if n is not None]
    total = min(counts, default=None)
    failed, assumed, seconds = 0, 0, []
    notes: dict[str, None] = {}  # distinct sentences, in order
    frames = islice(source.frames(), arguments.max_frames)
    # A camera does not end by itself: Ctrl-C ends the recording and keeps it.
    ending = nullcontext() if counts else suppress(KeyboardInterrupt)
    with ending, tqdm(frames, total=total, unit='frame', disable=None) as progress:
        for frame in progress:
            try:
                sample = frame.read()
                rgb = sample.image
                prediction = predictor.predict(rgb, arguments.fx or sample.fx)
            except HydranetError as error:
                failed += 1
                progress.write(f'hydranet run: {frame.origin}: {error}', file=sys.stderr)
                continue
            writer.write(frame.name, rgb, prediction)
            seconds.append(prediction.timing['total'])
            assumed += prediction.scale_assumed
            working = prediction.working
            assert working is not None
            height, width = rgb.shape[:2]
            notes[about_resizing(working, width, height)] = None
            notes[untrained_fault(predictor.metadata, working)] = None
    if not seconds:
        return failed
    sentences = list(filter(None, notes))[:_MOST_NOTES]
    if assumed:
        which = 'Depth' if assumed == len(seconds) else f'Depth of {assumed} images'
        sentences.append(
            f'{which} is scaled with an assumed focal length; give the true one with --fx.'
        )
    writer.notes += sentences
    median = sorted(seconds)[len(seconds) // 2]
    print(f'{len(seconds)} frames, {1e3 * median:.0f} ms each (median): {arguments.output}')
    for sentence in sentences:
        print(sentence)
    return failed
