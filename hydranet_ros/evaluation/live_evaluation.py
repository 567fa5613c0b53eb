# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate what a running node publishes: message by message, through loops of a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hydranet_ros.evaluation.frame_decoding import FrameDecoder, IMAGE, true
from hydranet_ros.evaluation.frame_evaluation import FrameEvaluation, MatchedFrame
from hydranet_ros.evaluation.measures import Protocol
from hydranet_ros.messages.frame_sync import Completeness, FrameStream, StampedFrame


class LiveEvaluation:
    """
    Join images, predictions and ground truth by stamp, and measure them.

    Where the stamps jump back, as in a replay that loops, a new pass begins.

    Parameters
    ----------
    tasks
        What is predicted and measured.
    protocol
        How to measure.
    deserialize
        From what is received to a message; raises `HydranetError`.

    Attributes
    ----------
    passes
        One evaluation for each time that the recording was played; the last one goes on.

    """

    def __init__(
        self, tasks: Sequence[str], protocol: Protocol, deserialize: Callable[[Any], Any]
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
        """Return the names of what can be received."""
        return (IMAGE, *map(true, self._tasks), *self._tasks)

    def receive(self, part: str, stamp: int, content: Any) -> bool:
        """
        Take a message.

        Parameters
        ----------
        part
            One of `parts`.
        stamp
            Of its header, in nanoseconds.
        content
            What `deserialize` takes.

        Returns
        -------
        Whether now the image and all its predictions are there.

        """
        self._add(self._stream.put(part, stamp, content))
        return self._answers.add(part, stamp)

    def finish(self) -> None:
        """Measure what still waits for parts, since nothing more comes."""
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
