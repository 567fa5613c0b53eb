# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of a frame from messages to arrays; what cannot be read is counted, not fatal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from hydranet_ros.data.sample import RgbImage
from hydranet_ros.errors import HydranetError
from hydranet_ros.messages.annotations import READERS
from hydranet_ros.messages.frame_sync import StampedFrame
from hydranet_ros.messages.images import message_to_rgb

IMAGE = 'image'
"""Name of the part of a frame that is the image."""


def true(task: str) -> str:
    """Return the name of the part of a frame that is a task's ground truth."""
    return f'true {task}'


class FrameDecoder:
    """
    Decode parts of frames.

    Parameters
    ----------
    deserialize
        From what a frame holds to a message; raises `HydranetError`.
    note
        Told what cannot be read, as the end of a sentence, and of which stamp.

    """

    def __init__(
        self, deserialize: Callable[[Any], Any], note: Callable[[str, int], None]
    ) -> None:
        self._deserialize = deserialize
        self._note = note

    def annotations(self, frame: StampedFrame, parts: Mapping[str, str]) -> dict[str, NDArray]:
        """Return the arrays of some parts, given with their tasks, by task."""
        arrays = {}
        for part, task in parts.items():
            if part in frame.parts:
                try:
                    arrays[task] = READERS[task](self._deserialize(frame.parts[part]))
                except HydranetError as error:
                    self._note(f'have an unreadable {part}: {error}', frame.stamp)
        return arrays

    def image(self, content: Any, stamp: int) -> RgbImage | None:
        """Return an image, raw or compressed, None if it cannot be read."""
        try:
            return message_to_rgb(self._deserialize(content))
        except HydranetError as error:
            self._note(f'have an unreadable image: {error}', stamp)
            return None
