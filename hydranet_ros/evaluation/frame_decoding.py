# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Decode the messages of a frame to arrays; unreadable messages are counted and skipped."""

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
"""Key of the image among the parts of a frame."""


def true(task: str) -> str:
    """Return the key of a task's ground truth among the parts of a frame."""
    return f'true {task}'


class FrameDecoder:
    """
    Decodes the parts (messages) of frames.

    ``deserialize`` turns a part into a message, or raises HydranetError. ``note`` is called for
    each unreadable part, with a predicate ("have an unreadable image") and the stamp.
    """

    def __init__(
        self, deserialize: Callable[[Any], Any], note: Callable[[str, int], None]
    ) -> None:
        self._deserialize = deserialize
        self._note = note

    def annotations(self, frame: StampedFrame, parts: Mapping[str, str]) -> dict[str, NDArray]:
        """Decode parts of a frame; ``parts`` maps their keys to tasks. Returns arrays by task."""
        arrays = {}
        for part, task in parts.items():
            if part in frame.parts:
                try:
                    arrays[task] = READERS[task](self._deserialize(frame.parts[part]))
                except HydranetError as error:
                    self._note(f'have an unreadable {part}: {error}', frame.stamp)
        return arrays

    def image(self, content: Any, stamp: int) -> RgbImage | None:
        """Decode a raw or compressed image; returns None if it is unreadable."""
        try:
            return message_to_rgb(self._deserialize(content))
        except HydranetError as error:
            self._note(f'have an unreadable image: {error}', stamp)
            return None
