# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a bag: run a model on its images, or measure the recorded predictions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hydranet_ros.bags.bag_files import BagMessage, BagReader
from hydranet_ros.bags.message_types import CAMERA_INFO_TYPE, COMPRESSED_IMAGE_TYPE, IMAGE_TYPE
from hydranet_ros.bags.playback import belongings_first
from hydranet_ros.bags.recovery import open_damaged_bag
from hydranet_ros.bags.topics import choose_image_topic
from hydranet_ros.camera.calibration import camera_of_frame, CameraInfoBuffer
from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.dataset_evaluation import ImagePredictor
from hydranet_ros.evaluation.frame_decoding import FrameDecoder, IMAGE, true
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation, MatchedFrame
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES
from hydranet_ros.messages.frame_sync import FrameStream, StampedFrame
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp
from hydranet_ros.messages.topic_names import (
    camera_info_topic,
    is_result_or_truth,
    TRANSPORT_SUFFIXES,
    TRUTH_PREFIX,
)

_TOLERANCE = NANOSECONDS // 20
"""Messages without a stamp belong to one frame if recorded at most this far apart, nanoseconds."""
_TYPES_WITH_HEADER = (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE, CAMERA_INFO_TYPE)


@dataclass(frozen=True)
class EvaluatedTopics:
    """The topics that are compared; a topic that the bag lacks is None or has no entry."""

    image: str | None
    camera_info: str | None
    predictions: Mapping[str, str]  # topic by task
    truths: Mapping[str, str]


@dataclass
class BagEvaluation:
    """The result of evaluating a bag."""

    frames: FrameEvaluation
    topics: EvaluatedTopics
    faults: list[str] = field(default_factory=list)  # sentences on what is wrong with the bag


def find_topics(
    bag: BagReader,
    *,
    image: str | None = None,
    camera_info: str | None = None,
    predictions: Mapping[str, str] | None = None,
    truths: Mapping[str, str] | None = None,
) -> EvaluatedTopics:
    """
    Find the topics to compare; topics that the user names take precedence.

    Predictions are looked for where the node publishes them (``/segmentation``, ``/depth`` …),
    ground truth at ``/ground_truth/<task>``, each raw or compressed. Raises HydranetError if a
    named topic does not exist, or several topics could hold the images.
    """
    named = [image, camera_info, *(predictions or {}).values(), *(truths or {}).values()]
    bag.check_topics(filter(None, named))
    found = _present(bag, '', predictions or {})
    true_ones = _present(bag, TRUTH_PREFIX, truths or {})
    chosen = image or _only_image_topic(bag, {*found.values(), *true_ones.values()})
    beside = camera_info or (camera_info_topic(chosen) if chosen else None)
    return EvaluatedTopics(chosen, beside if beside in bag.topics else None, found, true_ones)


def _present(bag: BagReader, prefix: str, named: Mapping[str, str]) -> dict[str, str]:
    """Return the topic of each task, by task; topics without messages are left out."""
    topics = {}
    for task in MEASURES:
        usual = (f'{prefix}/{task}{suffix}' for suffix in TRANSPORT_SUFFIXES)
        candidates = (named[task],) if task in named else usual
        topic = next((t for t in candidates if t in bag.topics and bag.topics[t].count), None)
        if topic is not None:
            topics[task] = topic
    return topics


def _only_image_topic(bag: BagReader, others: set[str]) -> str | None:
    """Return the only topic with images that is not among ``others``; None if there is none."""
    candidates = [
        name
        for name, topic in sorted(bag.topics.items())
        if topic.type in (IMAGE_TYPE, COMPRESSED_IMAGE_TYPE)
        and topic.count
        and name not in others
        and not is_result_or_truth(name)
    ]
    if len(candidates) > 1:
        raise HydranetError(
            f'{bag.path} has images on {", ".join(candidates)}; name one with --image.'
        )
    return choose_image_topic(bag, candidates[0]) if candidates else None


def evaluate_bag(
    path: Path,
    choose_topics: Callable[[BagReader], EvaluatedTopics],
    protocol: EvaluationProtocol,
    *,
    predictor: ImagePredictor | None = None,
    predicted_tasks: Iterable[str] = (),
    rectified: bool = False,
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
        reader = _FrameReader(bag, topics, evaluation, predictor=predictor, rectified=rectified)
        try:
            for frame in reader.frames(progress):
                evaluation.add(reader.matched(frame))
        except HydranetError as error:
            if not evaluation.rows:
                raise
            result.faults.append(f'Reading ended early: {error}')
            for frame in reader.rest():
                evaluation.add(reader.matched(frame))
        if reader.stamps.missing:
            result.faults.append(
                f'{reader.stamps.missing} messages have no stamp; they were matched by their time '
                f'of recording, within {1e3 * _TOLERANCE / NANOSECONDS:.0f} ms.'
            )
    return result


def _nothing_to_compare(
    bag: BagReader, topics: EvaluatedTopics, predictor: ImagePredictor | None
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


class _Stamps:
    """
    The stamps of messages, by which the messages of a frame are found.

    Drivers that do not fill in the header leave 0. Such messages get the time at which the first
    message of their frame was recorded.
    """

    def __init__(self) -> None:
        self.missing = 0  # number of messages without a stamp
        self._frames: deque[tuple[int, set[str]]] = deque(maxlen=64)  # time, and parts so far

    def of(self, part: str, message: BagMessage) -> int:
        """Return the stamp in nanoseconds."""
        if stamp := read_stamp(message.data):
            return stamp
        self.missing += 1
        for time, parts in self._frames:
            if part not in parts and abs(message.time - time) <= _TOLERANCE:
                parts.add(part)
                return time
        self._frames.append((message.time, {part}))
        return message.time


class _FrameReader:
    """Reads frames in the order of a lock-step replay, and decodes the parts to compare."""

    def __init__(
        self,
        bag: BagReader,
        topics: EvaluatedTopics,
        evaluation: FrameEvaluation,
        *,
        predictor: ImagePredictor | None,
        rectified: bool,
    ) -> None:
        tasks = list(evaluation.tasks)
        self._bag = bag
        self._topics = topics
        self._tasks = tasks
        self._predictor = predictor
        self._rectified = rectified
        self._decoder = FrameDecoder(bag.decode, evaluation.note)
        self._infos = CameraInfoBuffer()
        self.stamps = _Stamps()
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
        fields = {task: getattr(prediction, MEASURES[task].field) for task in self._tasks}
        return {task: values for task, values in fields.items() if values is not None}
