# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Label sets: the names and colours of the class ids in a segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.resources import config_file, read_yaml, share_directory

UNLABELED = 255
"""The id of unlabelled pixels in every segmentation that the package reads or publishes."""


@dataclass(frozen=True, eq=False)
class LabelSet:
    """An ordered set of classes; the id of a class is its index."""

    name: str
    classes: tuple[str, ...]
    colors: NDArray[np.uint8]  # n x 3, RGB, by class id
    ignore_id: int = UNLABELED  # of unlabelled pixels, outside 0 … n - 1

    def __post_init__(self) -> None:
        count = len(self.classes)
        if not self.name:
            raise HydranetError('A label set needs a name.')
        if not 1 <= count <= UNLABELED:
            raise HydranetError(
                f'Label set {self.name!r} has {count} classes; a mono8 image allows 1 to '
                f'{UNLABELED}.'
            )
        repeated = {name for name in self.classes if self.classes.count(name) > 1}
        if repeated or not all(self.classes):
            raise HydranetError(
                f'Label set {self.name!r} has an empty or repeated class name: '
                f'{", ".join(sorted(repeated)) or "(empty)"}.'
            )
        if self.colors.shape != (count, 3) or self.colors.dtype != np.uint8:
            raise HydranetError(
                f'Label set {self.name!r} needs one colour of three values 0 to 255 for each of '
                f'its {count} classes.'
            )
        if not count <= self.ignore_id <= UNLABELED:
            raise HydranetError(
                f'The ignore_id {self.ignore_id} of label set {self.name!r} must lie between '
                f'{count} and {UNLABELED}, outside the class ids.'
            )

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, LabelSet) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        """Return a hash that is consistent with equality."""
        return hash((self.name, self.classes, self.ignore_id))

    @property
    def size(self) -> int:
        """Return the number of classes."""
        return len(self.classes)

    def palette(self) -> NDArray[np.uint8]:
        """Return a 256 x 3 uint8 table of RGB colours by id; ids without a class are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: self.size] = self.colors
        return table

    def to_dict(self) -> dict[str, Any]:
        """Return the content of a label set file, in plain JSON types."""
        return {
            'name': self.name,
            'ignore_id': self.ignore_id,
            'classes': [
                {'name': name, 'color': color.tolist()}
                for name, color in zip(self.classes, self.colors, strict=True)
            ],
        }

    @classmethod
    def from_dict(cls, content: Any, source: str = 'label set') -> LabelSet:
        """
        Build a label set from the content of a label set file.

        The content is a mapping with ``name``, ``classes`` (each with ``name`` and ``color``) and
        optionally ``ignore_id``. ``source`` names the content in error messages.
        """
        try:
            if not isinstance(content, Mapping):
                raise TypeError('it is not a mapping')
            rows = content['classes']
            names = tuple(str(row['name']) for row in rows)
            colors = [[int(value) for value in row['color']] for row in rows]
            if any(len(color) != 3 or not all(0 <= v <= 255 for v in color) for color in colors):
                raise ValueError('a colour is not three values from 0 to 255')
            name, ignore_id = str(content['name']), int(content.get('ignore_id', UNLABELED))
        except KeyError as error:
            raise HydranetError(f'{source} lacks the key {error}.') from error
        except (TypeError, ValueError) as error:
            raise HydranetError(f'{source} is not a valid label set: {error}.') from error
        return cls(name, names, np.array(colors, np.uint8).reshape(-1, 3), ignore_id)


def label_set_names() -> list[str]:
    """Return the sorted names of the label sets that come with the package."""
    return sorted(path.stem for path in (share_directory() / 'config' / 'labels').glob('*.yaml'))


def load_label_set(name_or_path: str | Path) -> LabelSet:
    """Load a label set, given as one of :func:`label_set_names` or as the path of a YAML file."""
    is_file = Path(name_or_path).suffix in ('.yaml', '.yml')
    if not is_file and str(name_or_path) not in label_set_names():
        raise HydranetError(
            f'There is no label set {str(name_or_path)!r}; known are '
            f'{", ".join(label_set_names())}, or give the path of a .yaml file.'
        )
    path = config_file('labels', name_or_path)
    return LabelSet.from_dict(read_yaml(path), f'Label set {path}')
