# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Read and replace the time stamp of a serialised message without deserialising it.

In the CDR serialisation of ROS 2, a message whose first field is ``std_msgs/Header`` begins with
four bytes of encapsulation, of which the second gives the byte order. The stamp follows as int32
seconds and uint32 nanoseconds. So replacing the stamp of an image takes one copy of its data.

`read_stamp` and `replace_stamp` raise HydranetError if the data is too short to hold a stamp.
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
    """Return a copy of a serialised message with a new header stamp in nanoseconds."""
    stamp = _layout(data).pack(*divmod(nanoseconds, NANOSECONDS))
    return b''.join((data[:_ENCAPSULATION_BYTES], stamp, memoryview(data)[_STAMP_END:]))


def _layout(data: bytes) -> struct.Struct:
    """Return the layout of the stamp in the message's byte order."""
    if len(data) < _STAMP_END:
        raise HydranetError(
            f'A message of {len(data)} bytes is too short to have a header; the bag is damaged.'
        )
    return _STAMP[bool(data[1] & 1)]
