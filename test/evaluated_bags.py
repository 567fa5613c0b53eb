# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Small bags with ground truth and, if wanted, predictions, for the tests of evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.bags.bag_files import BagReader, BagWriter
from hydranet_ros.bags.conversion import BagLayout, write_samples
from hydranet_ros.bags.message_types import image_message, IMAGE_TYPE
from hydranet_ros.camera.camera import ideal_camera
from hydranet_ros.data.sample import Sample
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.runtime.predictor import Prediction

HEIGHT, WIDTH, FOCAL = 64, 96, 80.0
PERIOD = NANOSECONDS // 10
TRUTHS = {'segmentation': '/ground_truth/segmentation', 'depth': '/ground_truth/depth'}
PREDICTIONS = {'segmentation': '/segmentation', 'depth': '/depth'}
ENCODINGS = {'segmentation': 'mono8', 'depth': '32FC1'}


def samples(count: int, seed: int = 0) -> Iterator[tuple[int, Sample]]:
    """Yield samples of the classes 0 to 5 and depth from 1 to 20 m, with stamps."""
    generator = np.random.default_rng(seed)
    for index in range(count):
        rgb = generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        labels = generator.integers(0, 6, (HEIGHT, WIDTH), np.uint8)
        labels[:4] = 255
        depth = generator.uniform(1, 20, (HEIGHT, WIDTH)).astype(np.float32)
        depth[:, :8] = np.nan
        camera = ideal_camera(WIDTH, HEIGHT, FOCAL)
        sample = Sample(f'{index:06d}', rgb, segmentation=labels, depth=depth, camera=camera)
        yield stamp(index), sample


def stamp(index: int) -> int:
    """Return the stamp of a frame."""
    return NANOSECONDS + index * PERIOD


def make_bag(path: Path, count: int = 5, layout: BagLayout | None = None) -> Path:
    """Write a bag of images, calibration and ground truth."""
    write_samples(path, samples(count), layout)
    return path


class FakePredictor:
    """A predictor whose results follow from the image and the focal length."""

    def __init__(self) -> None:
        self.focal_lengths: list[float | None] = []

    def predict(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Prediction:
        """Predict one image."""
        self.focal_lengths.append(fx)
        depth = (1 + rgb[..., 0] / np.float32(25)) * np.float32((fx or 1.0) / FOCAL)
        return Prediction(
            labels=rgb[..., 1] // 43, depth=depth.astype(np.float32), scale_assumed=fx is None
        )

    def warm_up(self, _height: int, _width: int, _fx: float | None = None) -> float:
        """Do nothing."""
        return 0.0


def copy_bag(
    source: Path,
    target: Path,
    *,
    predictions: bool = False,
    leave_out: Mapping[str, Sequence[int]] | None = None,
    encodings: Mapping[str, str] | None = None,
) -> Path:
    """
    Copy a bag, with fake predictions, without some frames of topics, and with other encodings.

    Only the name of the encoding in a message is changed.
    """
    leave_out, encodings = leave_out or {}, encodings or {}
    predictor = FakePredictor()
    with BagReader(source) as reader, BagWriter(target) as writer:
        for name, topic in reader.topics.items():
            writer.add_topic(name, topic.type)
        for name in PREDICTIONS.values() if predictions else ():
            writer.add_topic(name, IMAGE_TYPE)

        def write(topic: str, time: int, message: object) -> None:
            if (time - NANOSECONDS) // PERIOD not in leave_out.get(topic, ()):
                if topic in encodings:
                    message.encoding = encodings[topic]
                writer.write_message(topic, time, message)

        for message in reader.messages():
            decoded = reader.decode(message)
            write(message.topic, message.time, decoded)
            if message.topic == '/image' and predictions:
                rgb = decoded.data.reshape(HEIGHT, WIDTH, 3)
                found = predictor.predict(rgb, FOCAL)
                for task, values in (('segmentation', found.labels), ('depth', found.depth)):
                    answer = image_message(values, message.time, encoding=ENCODINGS[task])
                    write(PREDICTIONS[task], message.time, answer)
    return target
