# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""One frame from its serialised message to the published outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import threading
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from hydranet_ros.camera.calibration import calibration_fault, camera_of_frame
from hydranet_ros.camera.camera import RayTable
from hydranet_ros.camera.resize import resize_image
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.images import LowBitsCheck, message_to_rgb
from hydranet_ros.messages.stamps import NANOSECONDS
from hydranet_ros.node.perception.outputs import Frame, Output
from hydranet_ros.node.perception.parameters import Settings
from hydranet_ros.node.perception.polling_subscription import Arrival
from hydranet_ros.node.perception.statistics import Statistics
from hydranet_ros.runtime.predictor import Predictor
from hydranet_ros.runtime.working_size import untrained_fault


class MessagePublisher(Protocol):
    """The methods of rclpy's publisher that are used here."""

    def publish(self, msg: object) -> None:
        """Publish a message."""

    def get_subscription_count(self) -> int:
        """Return the number of subscribers."""


class Calibrations(Protocol):
    """Finds the camera_info of an image."""

    def match(self, header: Header) -> CameraInfo | None:
        """Return the camera_info that belongs to an image, None if there is none."""


@dataclass(frozen=True)
class Publication:
    """An output and its publisher."""

    output: Output
    publisher: MessagePublisher


@dataclass(frozen=True)
class InputFacts:
    """What the last processed frame showed about the input, for diagnostics."""

    width: int
    height: int
    frame_id: str
    calibrated: bool
    scale_assumed: bool
    working_size: str = ''  # width and height that the network sees, e.g. 640x480
    fault: str = ''  # what is suspicious about the input


@dataclass(frozen=True, eq=False)
class Perceived:
    """A frame whose outputs are still to be published."""

    frame: Frame
    wanted: Sequence[Publication]  # outputs that had a subscriber when the frame was taken
    arrived: float  # seconds of ``time.monotonic``
    predicted: float  # end of inference, same clock
    durations: Mapping[str, float]  # seconds of each stage, up to inference


class FrameProcessor:
    """
    Turn arriving images into published outputs.

    `perceive` and `publish` run in two threads, so that the network runs on the next image while
    the outputs of the last image are published. An output is computed only while it has
    subscribers. ``settings`` returns the current parameters, ``now`` the ROS time in nanoseconds;
    ``warn`` logs why an output cannot be published or an input is suspicious; it is called once
    for each reason.
    """

    def __init__(
        self,
        *,
        predictor: Predictor,
        message_type: type,
        publications: Sequence[Publication],
        camera_infos: Calibrations,
        settings: Callable[[], Settings],
        now: Callable[[], int],
        statistics: Statistics,
        warn: Callable[[str], None],
    ) -> None:
        self.predictor = predictor  # replace it only inside `between_frames`
        self._inference = threading.Lock()
        self._unpublished = 0  # number of predicted frames that are not yet published
        self._published = threading.Condition()
        self._message_type = message_type
        self._publications = publications
        self._camera_infos = camera_infos
        self._settings = settings
        self._now = now
        self._statistics = statistics
        self._warn = warn
        self._warned: set[str] = set()
        self._low_bits = LowBitsCheck()
        self._rays = RayTable()
        # Replaced as a whole by the perception thread and read by the diagnostics: needs no lock.
        self.input_facts: InputFacts | None = None

    def perceive(self, arrival: Arrival) -> Perceived | None:
        """
        Run the network on one image; None if no output has a subscriber.

        Raises HydranetError if the image cannot be used.
        """
        wanted = [p for p in self._publications if p.publisher.get_subscription_count() > 0]
        if not wanted:
            self._statistics.idle()
            return None
        begin = time.monotonic()
        header, rgb = self._decode(arrival.data)
        decoded = time.monotonic()
        with self._inference:
            frame = self._predict(header, rgb)
            with self._published:
                self._unpublished += 1
        predicted = time.monotonic()
        durations = {
            'wait': begin - arrival.moment,
            'decode': decoded - begin,
            'predict': predicted - decoded,
            **{f'predict/{stage}': s for stage, s in frame.prediction.timing.items()},
        }
        return Perceived(frame, wanted, arrival.moment, predicted, durations)

    def publish(self, perceived: Perceived) -> None:
        """Build and publish the outputs of one frame."""
        begin = time.monotonic()
        frame = perceived.frame
        try:
            for publication in perceived.wanted:
                self._publish(publication, frame)
        finally:
            with self._published:
                self._unpublished -= 1
                self._published.notify_all()
        end = time.monotonic()
        durations = {
            **perceived.durations,
            'queued': begin - perceived.predicted,
            'publish': end - begin,
            'latency': end - perceived.arrived,
        }
        stamp = frame.header.stamp.sec * NANOSECONDS + frame.header.stamp.nanosec
        self._statistics.processed(durations, age=(self._now() - stamp) / NANOSECONDS)

    @contextmanager
    def between_frames(self) -> Iterator[None]:
        """Wait until all predicted frames are published; predict no frame until the block ends."""
        with self._inference, self._published:
            self._published.wait_for(lambda: self._unpublished == 0)
            yield

    def _publish(self, publication: Publication, frame: Frame) -> None:
        """Publish an output, or warn once why it cannot be built."""
        try:
            message = publication.output.build(frame)
        except HydranetError as error:
            self._warn_once(str(error))
            return
        if message is not None:
            publication.publisher.publish(message)

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            self._warn(sentence)

    def _decode(self, data: bytes) -> tuple[Header, NDArray[np.uint8]]:
        """Return the header and the RGB image of a serialised message."""
        try:
            message = deserialize_message(data, self._message_type)
        except RuntimeError as error:  # base class of rclpy's errors about damaged messages
            raise HydranetError(
                f'A message of {len(data)} bytes is not a valid {self._message_type.__name__}.'
            ) from error
        rgb = message_to_rgb(message)
        if sentence := self._low_bits.fault(message):
            self._warn_once(sentence)
        return message.header, rgb

    def _predict(self, header: Header, rgb: NDArray[np.uint8]) -> Frame:
        """Run the model with the focal length of the camera."""
        height, width = rgb.shape[:2]
        settings = self._settings()
        info = self._camera_infos.match(header)
        camera = camera_of_frame(info, width, height, rectified=settings.image_rectified)
        prediction = self.predictor.predict(rgb, camera.focal_length if camera else None)
        fault = ''
        if info is not None:
            fault = calibration_fault(info, width, height, rectified=settings.image_rectified)
        working = prediction.working
        assert working is not None
        fault = fault or untrained_fault(self.predictor.metadata, working)
        if fault:
            self._warn_once(fault)
        self.input_facts = InputFacts(
            width,
            height,
            header.frame_id,
            calibrated=info is not None,
            scale_assumed=prediction.scale_assumed,
            working_size=f'{working.width}x{working.height}',
            fault=fault,
        )
        if self.predictor.output_size == 'working':
            rgb = resize_image(rgb, working.size)
            camera = camera.scaled(*working.size) if camera else None
        return Frame(
            header=header,
            prediction=prediction,
            settings=settings,
            label_set=self.predictor.label_set,
            camera_info=info,
            rgb=rgb,
            camera=camera,
            rays=self._rays,
        )
