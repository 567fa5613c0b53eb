# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate what a running node publishes, message by message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hydranet_ros.evaluation.frame_decoding import FrameDecoder, IMAGE, true
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation, MatchedFrame
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.messages.frame_sync import Completeness, FrameStream, StampedFrame


class LiveEvaluation:
    """
    Join images, predictions and ground truth by stamp, and measure them.

    A new pass begins when the stamps jump back, as in a looping replay. ``passes`` holds one
    evaluation per pass; the last pass is still running. ``deserialize`` turns received data into a
    message, or raises HydranetError.
    """

    def __init__(
        self, tasks: Sequence[str], protocol: EvaluationProtocol, deserialize: Callable[[Any], Any]
    ) -> None:
        self._tasks = tuple(tasks)
        self._protocol = protocol
        self._stream = FrameStream(self.parts, laps=True)
        self._lap = 0
        self._answers = Completeness((IMAGE, *self._tasks))
        self.passes = [FrameEvaluation(self._tasks, protocol)]
        self._decoder = FrameDecoder(deserialize, self._note)

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the keys of all parts of a frame."""
        return (IMAGE, *map(true, self._tasks), *self._tasks)

    def receive(self, part: str, stamp: int, content: Any) -> bool:
        """
        Take a message for one of `parts`, with the stamp of its header in nanoseconds.

        Returns whether the image and all its predictions have now been received.
        """
        self._add(self._stream.put(part, stamp, content))
        return self._answers.add(part, stamp)

    def finish(self) -> None:
        """Measure the frames that are still incomplete."""
        self._add(self._stream.flush())

    def _note(self, what: str, stamp: int) -> None:
        self.passes[-1].note(what, stamp)

    def _add(self, frames: Iterable[StampedFrame]) -> None:
        for frame in frames:
            if frame.lap != self._lap:
                self._lap = frame.lap
                self.passes.append(FrameEvaluation(self._tasks, self._protocol))
            self.passes[-1].add(self._matched(frame))

    def _matched(self, frame: StampedFrame) -> MatchedFrame:
        truths = self._decoder.annotations(frame, {true(task): task for task in self._tasks})
        predictions = self._decoder.annotations(frame, {task: task for task in self._tasks})
        has_image = IMAGE in frame.parts
        rgb = self._decoder.image(frame.parts[IMAGE], frame.stamp) if has_image else None
        return MatchedFrame(frame.stamp, has_image, predictions, truths, rgb)
