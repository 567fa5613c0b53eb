# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Read the intact part of bags whose recorder was killed, or that were copied only in part.

An MCAP file is a sequence of records with an index at the end. A truncated file is repaired in a
copy, which has all complete records and a footer without an index.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import shutil
import struct
from tempfile import TemporaryDirectory

from hydranet_ros.bags.bag_files import BagReader, check_files
from hydranet_ros.errors import HydranetError, naming_write_faults

_MAGIC = b'\x89MCAP0\r\n'
_RECORD = struct.Struct('<BQ')
_FOOTER, _DATA_END = 2, 15
_HEADER = 1


@contextmanager
def open_damaged_bag(path: str | Path) -> Iterator[tuple[BagReader, str]]:
    """
    Open a bag that may be truncated, as a context manager.

    Yields the bag and a sentence on what is wrong with it, which is empty for an intact bag.
    Raises HydranetError if nothing can be read.
    """
    path = Path(path).expanduser()
    check_files(path)
    try:
        bag = BagReader(path)
    except HydranetError:
        file = _mcap_of(path)
        if file is None:
            raise
        with TemporaryDirectory(prefix='hydranet_bag_') as folder:
            repaired = Path(folder) / file.name
            kept = _complete(file, repaired)
            if kept is None:
                raise
            with BagReader(repaired) as bag:
                lost = file.stat().st_size - kept
                account = (
                    f'{file} is truncated or has no index: {kept} bytes of complete records were '
                    f'read, {lost} bytes after them were not.'
                )
                yield bag, account
        return
    with bag:
        yield bag, ''


def _mcap_of(path: Path) -> Path | None:
    """Return the MCAP file at a path, None unless there is exactly one."""
    if path.is_file():
        return path if path.suffix == '.mcap' else None
    files = sorted(path.glob('*.mcap')) if path.is_dir() else []
    return files[0] if len(files) == 1 else None


def _complete(file: Path, copy: Path) -> int | None:
    """Copy the complete records, add a footer and return its position; None without records."""
    end = _end_of_whole_records(file)
    if end is None:
        return None
    with naming_write_faults(copy), file.open('rb') as source, copy.open('wb') as target:
        shutil.copyfileobj(source, target)
        target.truncate(end)
        target.seek(end)
        # Offsets of the summary and of its index, and a checksum; 0 marks each as missing.
        target.write(_RECORD.pack(_FOOTER, 20) + bytes(20) + _MAGIC)
    return end


def _end_of_whole_records(file: Path) -> int | None:
    """Return where the last complete record ends, None if there is none."""
    size = file.stat().st_size
    with file.open('rb') as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            return None
        position = len(_MAGIC)
        first = True
        while True:
            head = stream.read(_RECORD.size)
            if len(head) < _RECORD.size:
                break
            kind, length = _RECORD.unpack(head)
            following = position + _RECORD.size + length
            if following > size or kind in (_FOOTER, _DATA_END, 0):
                break
            if first and kind != _HEADER:
                return None
            first = False
            position = following
            stream.seek(position)
    return None if first else position
