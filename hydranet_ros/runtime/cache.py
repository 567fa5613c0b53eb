# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Caches of converted models (on disk) and of compiled models (in memory, by image size)."""

from __future__ import annotations

from collections import defaultdict, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
import hashlib
import os
from pathlib import Path
import tempfile
from typing import Generic, TypeVar

from hydranet_ros.model.bundle import Bundle
from hydranet_ros.model.provenance import source_digest

SIZES_KEPT = 4
DISK_LIMIT = 2**30
"""Size limit of the cache in bytes; above it, the least recently used files are removed."""

T = TypeVar('T')


class BySize(Generic[T]):
    """Cache the results of a slow ``make(height, width)`` for the most recent image sizes."""

    def __init__(self, make: Callable[[int, int], T], limit: int = SIZES_KEPT) -> None:
        self._make = make
        self._limit = limit
        self._kept: OrderedDict[tuple[int, int], T] = OrderedDict()

    def __call__(self, height: int, width: int) -> T:
        """Return the result for a size, from the cache if possible."""
        size = (height, width)
        if size in self._kept:
            self._kept.move_to_end(size)
        else:
            while len(self._kept) >= self._limit:
                self._kept.popitem(last=False)
            self._kept[size] = self._make(height, width)
        return self._kept[size]

    def clear(self) -> None:
        self._kept.clear()


def cache_directory() -> Path | None:
    """
    Create and return the directory for compiled models; None if it is not writable.

    It is ``$XDG_CACHE_HOME/hydranet_ros``, or ``~/.cache/hydranet_ros``.
    """
    base = os.environ.get('XDG_CACHE_HOME')
    try:
        directory = (Path(base) if base else Path.home() / '.cache') / 'hydranet_ros'
        directory.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # the home directory is missing or read-only
        return None
    return directory if os.access(directory, os.W_OK) else None


def graph_key(
    bundle: Bundle, label_set: str | None, fields: Sequence[str] | None, runtime: str
) -> str:
    """Return a name that identifies the deployed graph of a bundle."""
    digest = hashlib.sha256()
    code = source_digest('hydranet_ros.model.export')  # the code that makes the graph
    facts = (code, runtime, bundle.metadata.to_json(), label_set, fields)
    digest.update(repr(facts).encode())
    for key in sorted(bundle.weights):
        digest.update(key.encode())
        digest.update(bundle.weights[key].tobytes())
    return digest.hexdigest()[:32]


def cached_file(name: str, write: Callable[[Path], None]) -> Path | None:
    """
    Return a file of the cache, written first if it is missing; None if there is no cache.

    Parameters
    ----------
    name
        File name, which identifies the content.
    write
        Writes the file to the given path in an empty directory. It may write more files, whose
        names begin with the stem of the file.

    """
    directory = cache_directory()
    if directory is None:
        return None
    path = directory / name
    if path.is_file():
        with suppress(OSError):  # the file may belong to another user
            path.touch()  # mark as recently used
        return path
    with tempfile.TemporaryDirectory(dir=directory) as fresh:
        write(Path(fresh) / name)
        # The file itself comes last: if it exists, the others exist too.
        for file in sorted(Path(fresh).iterdir(), key=lambda file: file.name == name):
            file.replace(directory / file.name)
    prune(directory, DISK_LIMIT)
    return path


def prune(directory: Path, limit: int) -> None:
    """
    Remove the least recently used files until the rest takes at most ``limit`` bytes.

    Files with the same stem, such as an OpenVINO graph and its weights, are removed together.
    """
    groups: defaultdict[str, list[tuple[Path, os.stat_result]]] = defaultdict(list)
    for file in directory.iterdir():
        with suppress(FileNotFoundError):  # another process may have removed it
            if file.is_file():
                groups[file.stem].append((file, file.stat()))
    total = 0
    for group in sorted(groups.values(), key=_last_use, reverse=True):
        total += sum(status.st_size for _, status in group)
        if total > limit:
            for file, _ in group:
                file.unlink(missing_ok=True)


def _last_use(group: Sequence[tuple[Path, os.stat_result]]) -> float:
    return max(status.st_mtime for _, status in group)
