# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The time stamp of a serialised message, read and replaced without deserialising it.

Messages whose first field is ``std_msgs/Header`` begin, in the CDR serialisation of ROS 2, with
four bytes of encapsulation (the second gives the byte order) and the stamp as int32 seconds and
uint32 nanoseconds. Replacing the stamp of a camera image thus costs one copy.

Both functions raise HydranetError if the data is too short to hold a stamp.
"""

from __future__ import annotations

import struct

from hydranet_ros.errors import HydranetError

NANOSECONDS = 1_000_000_000
_STAMP = {False: struct.Struct('>iI'), True: struct.Struct('<iI')}
_ENCAPSULATION_BYTES = 4
_STAMP_END = _ENCAPSULATION_BYTES + 8


def stamp_nanoseconds(seconds: int, nanoseconds: int) -> int:
    """Return a ROS time in nanoseconds."""
    return seconds * NANOSECONDS + nanoseconds


def read_stamp(data: bytes) -> int:
    """Return the header stamp of a serialised message in nanoseconds."""
    return stamp_nanoseconds(*_layout(data).unpack_from(data, _ENCAPSULATION_BYTES))


def replace_stamp(data: bytes, nanoseconds: int) -> bytes:
    """Return a copy of a serialised message with another header stamp in nanoseconds."""
    stamp = _layout(data).pack(*divmod(nanoseconds, NANOSECONDS))
    return b''.join((data[:_ENCAPSULATION_BYTES], stamp, memoryview(data)[_STAMP_END:]))


def _layout(data: bytes) -> struct.Struct:
    """Return the stamp's layout in the byte order that the encapsulation gives."""
    if len(data) < _STAMP_END:
        raise HydranetError(
            f'A message of {len(data)} bytes is too short to have a header; the bag is damaged.'
        )
    return _STAMP[bool(data[1] & 1)]
