# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Bags of recorders that were killed, or that were copied in part: what is whole in them is read.

An MCAP file is a row of records, and its index the last of them. Cut off, it is completed in a
copy: all whole records, and an end that says that there is no index.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import shutil
import struct
from tempfile import TemporaryDirectory

from hydranet_ros.bags.bag_files import BagReader
from hydranet_ros.data.media import naming_write_faults
from hydranet_ros.errors import HydranetError

_MAGIC = b'\x89MCAP0\r\n'
_RECORD = struct.Struct('<BQ')
_FOOTER, _DATA_END = 2, 15
_HEADER = 1


@contextmanager
def open_damaged_bag(path: str | Path) -> Iterator[tuple[BagReader, str]]:
    """
    Open a bag, cut off or not; to be used as a context manager.

    Raises HydranetError if nothing of it can be read.

    Parameters
    ----------
    path
        The bag's folder, or one of its files.

    Yields
    ------
    tuple
        The bag, and a sentence on what is wrong with it, empty if nothing is.

    """
    path = Path(path).expanduser()
    try:
        bag = BagReader(path)
    except HydranetError:
        file = _mcap_of(path)
        if file is None:
            raise
        with TemporaryDirectory(prefix='hydranet_bag_') as folder:
            mended = Path(folder) / file.name
            kept = _complete(file, mended)
            if kept is None:
                raise
            with BagReader(mended) as bag:
                lost = file.stat().st_size - kept
                account = (
                    f'{file} is cut off or has no index: {kept} bytes of whole records were read, '
                    f'{lost} bytes after them were not.'
                )
                yield bag, account
        return
    with bag:
        yield bag, ''


def _mcap_of(path: Path) -> Path | None:
    """Return the one MCAP file that a path means, None if there is not exactly one."""
    if path.is_file():
        return path if path.suffix == '.mcap' else None
    files = sorted(path.glob('*.mcap')) if path.is_dir() else []
    return files[0] if len(files) == 1 else None


def _complete(file: Path, copy: Path) -> int | None:
    """Copy the whole records and end the copy; returns their bytes, None if there are none."""
    end = _end_of_whole_records(file)
    if end is None:
        return None
    with naming_write_faults(copy), file.open('rb') as source, copy.open('wb') as target:
        shutil.copyfileobj(source, target)
        target.truncate(end)
        target.seek(end)
        # Where the summary lies (nowhere), where its offsets lie, and a checksum (none).
        target.write(_RECORD.pack(_FOOTER, 20) + bytes(20) + _MAGIC)
    return end


def _end_of_whole_records(file: Path) -> int | None:
    """Return where the last whole record of the data ends."""
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
