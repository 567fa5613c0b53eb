# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a bag: run a model on its images, or measure the recorded predictions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hydranet_ros.bags.bag_files import BagMessage, BagReader
from hydranet_ros.bags.message_types import CAMERA_INFO_TYPE, COMPRESSED_IMAGE_TYPE, IMAGE_TYPE
from hydranet_ros.bags.playback import belongings_first
from hydranet_ros.bags.recovery import open_damaged_bag
from hydranet_ros.bags.topics import BagTopics
from hydranet_ros.camera.calibration import camera_of_frame, CameraInfoBuffer
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.dataset_evaluation import ImagePredictor
from hydranet_ros.evaluation.frame_decoding import FrameDecoder, IMAGE, true
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation, MatchedFrame
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES
from hydranet_ros.messages.frame_sync import FrameStream, StampedFrame
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp

_RECORDED_TOLERANCE = NANOSECONDS // 20
"""Messages without a stamp belong to one frame if recorded at most this far apart, nanoseconds."""
_NEAR = NANOSECONDS // 10
"""Stamps with a smaller difference, in nanoseconds, could be of one frame."""
_TYPES_WITH_HEADER = (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE, CAMERA_INFO_TYPE)


@dataclass
class BagEvaluation:
    """The result of evaluating a bag."""

    frames: FrameEvaluation
    topics: BagTopics
    faults: list[str] = field(default_factory=list)  # sentences on what is wrong with the bag


def evaluate_bag(
    path: Path,
    choose_topics: Callable[[BagReader], BagTopics],
    protocol: EvaluationProtocol,
    *,
    predictor: ImagePredictor | None = None,
    predicted_tasks: Iterable[str] = (),
    rectified: bool = False,
    tolerance: float = 0.0,
    progress: Callable[[int], object] = lambda _count: None,
) -> BagEvaluation:
    """
    Evaluate a bag, or the readable part of a damaged bag.

    Raises HydranetError if nothing can be read or there is nothing to compare.

    Parameters
    ----------
    choose_topics
        Returns the topics to compare.
    protocol
        How to measure; without a label set, segmentation is skipped.
    predictor, predicted_tasks
        The model and its tasks; without a model, the recorded predictions are measured.
    rectified
        Whether the images are rectified; if so, the focal length is taken from ``P``.
    tolerance
        Largest difference in seconds between the stamps of the messages of a frame.
    progress
        Called with the number of messages read since the last call.

    """
    with open_damaged_bag(path) as (bag, fault):
        topics = choose_topics(bag)
        available = set(topics.predictions) if predictor is None else set(predicted_tasks)
        tasks = [task for task in MEASURES if task in available and task in topics.truths]
        if protocol.label_set is None:
            tasks = [task for task in tasks if task != 'segmentation']
        if not tasks or (predictor is not None and topics.image is None):
            raise HydranetError(_nothing_to_compare(bag, topics, predictor))
        evaluation = FrameEvaluation(tasks, protocol)
        result = BagEvaluation(evaluation, topics, [fault] if fault else [])
        reader = _FrameReader(
            bag,
            topics,
            evaluation,
            predictor=predictor,
            rectified=rectified,
            stamps=_Stamps(round(tolerance * NANOSECONDS)),
        )
        try:
            for frame in reader.frames(progress):
                evaluation.add(reader.matched(frame))
        except HydranetError as error:
            if not evaluation.rows:
                raise
            result.faults.append(f'Reading ended early: {error}')
            for frame in reader.rest():
                evaluation.add(reader.matched(frame))
        if not evaluation.rows:
            raise HydranetError(_nothing_measured(path, reader, evaluation))
        if reader.assumed and 'depth' in tasks:
            result.faults.append(
                f'The focal length of {reader.assumed} images was assumed, because they have no '
                'camera_info: the scale of their depth may be wrong.'
            )
        if reader.stamps.missing:
            result.faults.append(
                f'{reader.stamps.missing} messages have no stamp; they were matched by their time '
                f'of recording, within {1e3 * _RECORDED_TOLERANCE / NANOSECONDS:.0f} ms.'
            )
    return result


def _nothing_to_compare(
    bag: BagReader, topics: BagTopics, predictor: ImagePredictor | None
) -> str:
    truths = ', '.join(topics.truths) or 'nothing'
    if predictor is not None:
        images = topics.image or 'none'
        return (
            f'{bag.path} has nothing to compare with the model: it has ground truth for {truths} '
            f'and images on {images}; name the topics, and give --label-set for segmentation.'
        )
    return (
        f'{bag.path} has nothing to compare: it has ground truth for {truths} and predictions for '
        f'{", ".join(topics.predictions) or "nothing"}; give --model to predict, name the topics, '
        'and give --label-set for segmentation.'
    )


def _nothing_measured(path: Path, reader: _FrameReader, evaluation: FrameEvaluation) -> str:
    """Return why no frame could be measured, and what to do."""
    nearest = reader.stamps.nearest
    if not reader.joined and nearest is not None and nearest <= _NEAR:
        return (
            f'{path}: the stamps of no messages match. The nearest ones differ by '
            f'{1e3 * nearest / NANOSECONDS:.3g} ms: if they belong to one frame, give '
            f'--tolerance {2 * nearest / NANOSECONDS:.2g}.'
        )
    reasons = '; '.join(f'{tally.count} {what}' for what, tally in evaluation.account.items())
    return f'{path}: no frame could be measured. Frames: {reasons or "none"}.'


class _Stamps:
    """
    The stamps of messages, by which the messages of a frame are found.

    A message belongs to the frame with the nearest stamp within ``tolerance`` nanoseconds. Drivers
    that do not fill in the header leave 0; such messages belong to the frame that was recorded at
    about the same time.
    """

    def __init__(self, tolerance: int) -> None:
        self.missing = 0  # number of messages without a stamp
        self.nearest: int | None = None  # smallest difference between stamps that was too large
        self._tolerance = tolerance
        self._frames: deque[tuple[int, set[str]]] = deque(maxlen=64)  # time, and parts so far

    def of(self, part: str, message: BagMessage) -> int:
        """Return the stamp of the message's frame in nanoseconds."""
        time, tolerance = read_stamp(message.data), self._tolerance
        if not time:
            self.missing += 1
            time, tolerance = message.time, _RECORDED_TOLERANCE
        others = [frame for frame in self._frames if part not in frame[1]]
        if others:
            nearest, parts = min(others, key=lambda frame: abs(frame[0] - time))
            difference = abs(nearest - time)
            if difference <= tolerance:
                parts.add(part)
                return nearest
            self.nearest = min(self.nearest or difference, difference)
        self._frames.append((time, {part}))
        return time


class _FrameReader:
    """Reads frames in the order of a lock-step replay, and decodes the parts to compare."""

    def __init__(
        self,
        bag: BagReader,
        topics: BagTopics,
        evaluation: FrameEvaluation,
        *,
        predictor: ImagePredictor | None,
        rectified: bool,
        stamps: _Stamps,
    ) -> None:
        tasks = list(evaluation.tasks)
        self._bag = bag
        self._topics = topics
        self._tasks = tasks
        self._predictor = predictor
        self._rectified = rectified
        self._decoder = FrameDecoder(bag.decode, evaluation.note)
        self._infos = CameraInfoBuffer()
        self.stamps = stamps
        self.assumed = 0  # number of images whose focal length was assumed
        self.joined = 0  # number of frames with truth and an image or prediction
        parts = {topics.truths[task]: true(task) for task in tasks}
        if predictor is None:
            parts |= {topics.predictions[task]: task for task in tasks}
        if topics.image is not None:
            parts[topics.image] = IMAGE
        self._parts = parts
        self._stream = FrameStream(tuple(parts.values()))

    def frames(self, progress: Callable[[int], object]) -> Iterator[StampedFrame]:
        """Yield the frames of the bag."""
        wanted = set(self._parts)
        if self._topics.camera_info and self._predictor is not None:
            wanted.add(self._topics.camera_info)
        with_header = {t for t in wanted if self._bag.topics[t].type in _TYPES_WITH_HEADER}
        messages = self._bag.messages(wanted)
        if self._topics.image is not None:
            messages = belongings_first(messages, self._topics.image, with_header)
        for message in messages:
            progress(1)
            if message.topic not in self._parts:
                self._infos.put(self._bag.decode(message))
                continue
            part = self._parts[message.topic]
            content: Any = message
            if part == IMAGE and self._predictor is not None:
                content = (message, self._info_of(message))
            yield from self._stream.put(part, self.stamps.of(part, message), content)
        yield from self._stream.flush()

    def rest(self) -> Iterator[StampedFrame]:
        """Yield the frames that were incomplete when reading failed."""
        return self._stream.flush()

    def matched(self, frame: StampedFrame) -> MatchedFrame:
        """Decode a frame, and run the model, if there is one, on its image."""
        known = {true(task) for task in self._tasks} & frame.parts.keys()
        self.joined += 0 < len(known) < len(frame.parts)
        truths = self._decoder.annotations(frame, {true(task): task for task in self._tasks})
        rgb: RgbImage | None = None
        predictions: dict[str, NDArray] = {}
        if self._predictor is None:
            predictions = self._decoder.annotations(frame, {task: task for task in self._tasks})
            if IMAGE in frame.parts:
                rgb = self._decoder.image(frame.parts[IMAGE], frame.stamp)
        elif IMAGE in frame.parts and truths:
            message, info = frame.parts[IMAGE]
            rgb = self._decoder.image(message, frame.stamp)
            if rgb is not None:
                predictions = self._predict(rgb, info)
        has_image = IMAGE in frame.parts or self._topics.image is None
        return MatchedFrame(frame.stamp, has_image, predictions, truths, rgb)

    def _info_of(self, message: BagMessage) -> Any:
        """Return the calibration that a node would use for this image."""
        try:
            return self._infos.match(self._bag.decode(message).header)
        except HydranetError:
            return None  # reported when the image itself is read

    def _predict(self, rgb: RgbImage, info: Any) -> dict[str, NDArray]:
        """Predict as the node does, with the focal length of the calibration if it is known."""
        assert self._predictor is not None
        height, width = rgb.shape[:2]
        camera = camera_of_frame(info, width, height, rectified=self._rectified)
        prediction = self._predictor.predict(rgb, camera.focal_length if camera else None)
        self.assumed += prediction.scale_assumed
        fields = {task: getattr(prediction, MEASURES[task].field) for task in self._tasks}
        return {task: values for task, values in fields.items() if values is not None}
