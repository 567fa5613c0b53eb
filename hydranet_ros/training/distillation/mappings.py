# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Map the classes of a teacher to those of the student."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import LabelSet, load_label_set
from hydranet_ros.resources import config_file, read_yaml


@dataclass(frozen=True)
class LabelMapping:
    """Maps the classes of one label set to those of another."""

    source: LabelSet  # the teacher's
    target: LabelSet  # the student's
    table: NDArray[np.int64]
    """For each class of the teacher, the student's id; -1 for classes that are not taught."""

    @classmethod
    def identity(cls, labels: LabelSet) -> LabelMapping:
        """Return the mapping of a label set to itself."""
        return cls(labels, labels, np.arange(labels.size))

    @classmethod
    def from_dict(cls, content: Any, origin: str = 'label mapping') -> LabelMapping:
        """
        Build a mapping from the content of its file.

        The file has ``source`` and ``target`` (names of label sets), and ``classes``, which maps
        every class of the source to a class of the target or to null. ``origin`` names the file in
        errors.
        """
        if not isinstance(content, Mapping) or not {'source', 'target', 'classes'} <= set(content):
            raise HydranetError(f'{origin} needs the keys `source`, `target` and `classes`.')
        source = load_label_set(content['source'])
        target = load_label_set(content['target'])
        names = content['classes']
        if not isinstance(names, Mapping):
            raise HydranetError(
                f'{origin}: `classes` must map names of {source.name} to names of {target.name}.'
            )
        missing = [name for name in source.classes if name not in names]
        unknown = [str(name) for name in names if name not in source.classes]
        wrong = [str(name) for name in names.values() if name not in (None, *target.classes)]
        for fault, which in (
            (missing, f'does not map these classes of {source.name}'),
            (unknown, f'maps names that are not classes of {source.name}'),
            (wrong, f'maps to names that are not classes of {target.name}'),
        ):
            if fault:
                raise HydranetError(f'{origin} {which}: {", ".join(fault)}.')
        ids = {name: index for index, name in enumerate(target.classes)}
        table = [-1 if names[name] is None else ids[names[name]] for name in source.classes]
        return cls(source, target, np.array(table, np.int64))

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the mapping's file, in plain JSON types."""
        names = (*self.target.classes, None)
        return {
            'source': self.source.name,
            'target': self.target.name,
            'classes': {
                name: names[index]
                for name, index in zip(self.source.classes, self.table.tolist(), strict=True)
            },
        }

    def translate(
        self, scores: NDArray[np.float32], threshold: float = 0.0
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """
        Turn a teacher's scores into the student's labels.

        Scores of classes with the same target are summed first. So a teacher that is undecided
        between two such classes still gives a confident label.

        Parameters
        ----------
        scores
            float32, shape (height, width, source.size): score of each class, 0 to 1.
        threshold
            Labels with a lower score get the target's ignored id.

        Returns
        -------
        labels
            uint8, shape (height, width): ids of the target, or its ignored id if the best class is
            not taught or its score is below the threshold.
        confidence
            float32, shape (height, width): the best score, 0 to 1.

        """
        columns = np.where(self.table < 0, self.target.size, self.table)
        merge = np.zeros((self.source.size, self.target.size + 1), np.float32)
        merge[np.arange(self.source.size), columns] = 1
        merged = scores @ merge
        winner = merged.argmax(axis=-1)
        confidence = np.take_along_axis(merged, winner[..., None], axis=-1)[..., 0]
        taught = (winner < self.target.size) & (confidence >= threshold)
        labels = np.where(taught, winner, self.target.ignore_id).astype(np.uint8)
        return labels, confidence


def load_mapping(name_or_path: str | Path) -> LabelMapping:
    """Load a mapping by its name in ``config/mappings``, or from a YAML file."""
    path = config_file('mappings', name_or_path)
    return LabelMapping.from_dict(read_yaml(path), f'Label mapping {path}')
