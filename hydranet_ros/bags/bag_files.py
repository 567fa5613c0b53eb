# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Read and write rosbag2 recordings (MCAP and sqlite3) without ROS.

Messages stay serialised and are read one at a time, so that memory does not grow with the length
of a bag. Bags are compatible with ``ros2 bag`` in both directions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
import sqlite3
from typing import Any, NamedTuple, TYPE_CHECKING

import yaml

from hydranet_ros.bags.message_types import latched_qos, new_typestore, register_type
from hydranet_ros.errors import HydranetError, missing_package
from hydranet_ros.messages.stamps import NANOSECONDS, read_stamp

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.typesys.store import Typestore

STORAGES = ('mcap', 'sqlite3')

# The newest metadata version that rosbag2 in Humble reads.
_METADATA_VERSION = 8


def is_bag(path: Path) -> bool:
    """Return whether a path is a bag folder, or a file of a bag."""
    return (path / 'metadata.yaml').is_file() or path.suffix in ('.mcap', '.db3')


def check_files(path: Path) -> None:
    """Raise HydranetError if a file is missing that the metadata of a bag folder lists."""
    try:
        metadata = yaml.safe_load((path / 'metadata.yaml').read_text(encoding='utf-8'))
        listed = metadata['rosbag2_bagfile_information']['relative_file_paths']
        missing = [name for name in listed if not (path / name).exists()]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return  # a single file, or faulty metadata, which the reader reports
    if missing:
        raise HydranetError(
            f'{path} is incomplete: the file {missing[0]} is missing. Restore it, or give one of '
            'the other files instead of the folder.'
        )


class BagMessage(NamedTuple):
    """One recorded message."""

    topic: str  # absolute topic name
    type: str  # e.g. ``sensor_msgs/msg/Image``
    time: int  # time of recording, nanoseconds since the epoch
    data: bytes  # CDR, including the encapsulation header of four bytes

    @property
    def stamp(self) -> int:
        """
        Stamp in nanoseconds, from the header, which must be the first field of the type.

        Drivers that do not fill in the header leave 0; the stamp is then the time of recording.
        """
        return read_stamp(self.data) or self.time


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag."""

    type: str  # e.g. ``sensor_msgs/msg/Image``
    count: int  # number of recorded messages
    latched: bool  # offered as transient local, so late subscribers get the last message
    definition: str  # definition of the type and of all types in it; empty if the bag has none


class BagReader:
    """
    Reader of a rosbag2; ``path`` is the bag's folder, or one of its ``.mcap`` or ``.db3`` files.

    Use it as a context manager. Raises HydranetError if the bag cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        if not self.path.exists():
            raise HydranetError(f'There is no bag {self.path}.')
        if self.path.is_dir() and not (self.path / 'metadata.yaml').is_file():
            raise HydranetError(
                f'{self.path} is not a complete bag, since it has no metadata.yaml; '
                'give the .mcap or .db3 file in it instead, if there is one.'
            )
        if self.path.is_file() and self.path.suffix not in ('.mcap', '.db3'):
            raise HydranetError(
                f'{self.path} is not a bag; give a bag folder, an .mcap or a .db3 file.'
            )
        check_files(self.path)
        self._rosbags = _import_rosbags()
        self._store: Typestore | None = None
        with self._named_faults():
            self._reader = self._rosbags.rosbag2.Reader(self.path)
            self._reader.open()
            # Skip the channels that other programs add, such as JSON.
            self._connections = [c for c in self._reader.connections if _is_ros(c)]
            self.topics = {c.topic: _bag_topic(c) for c in self._connections}

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the bag."""
        self._reader.close()

    @property
    def start(self) -> int:
        """Time of the first message, in nanoseconds since the epoch; 0 for an empty bag."""
        return self._reader.start_time if self._reader.message_count else 0

    @property
    def duration(self) -> float:
        """Time from the first message to the last, in seconds."""
        count = self._reader.message_count
        # In rosbags, a bag ends one nanosecond after its last message.
        return (self._reader.duration - 1) / NANOSECONDS if count else 0.0

    def check_topics(self, topics: Iterable[str]) -> None:
        """Raise HydranetError if one of the topics is not in the bag."""
        missing = sorted(set(topics) - self.topics.keys())
        if missing:
            raise HydranetError(
                f'{self.path} has no topic {missing[0]}; it has {", ".join(sorted(self.topics))}.'
            )

    def messages(
        self, topics: Collection[str] | None = None, *, start: int | None = None
    ) -> Iterator[BagMessage]:
        """
        Yield the messages of the given topics (None: of all topics) in the order of recording.

        Messages recorded before ``start`` (nanoseconds since the epoch) are skipped. Raises
        HydranetError if a topic is not in the bag, or the bag is damaged.
        """
        self.check_topics(topics or ())
        chosen = [c for c in self._connections if topics is None or c.topic in topics]
        if not chosen:
            return
        with self._named_faults():
            for connection, time, data in self._reader.messages(chosen, start=start):
                yield BagMessage(connection.topic, connection.msgtype, time, bytes(data))

    def decode(self, message: BagMessage) -> Any:
        """Deserialise a message to an object with the fields of its type."""
        if self._store is None:
            self._store = new_typestore()
        topic = self.topics[message.topic]
        register_type(self._store, message.type, topic.definition)
        try:
            return self._store.deserialize_cdr(message.data, message.type)
        except self._rosbags.serde.SerdeError as error:
            raise HydranetError(
                f'A message on {message.topic} in {self.path} is damaged: {error}'
            ) from error

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        """Turn the library's errors on damaged files into HydranetError."""
        try:
            yield
        # Only library code runs here, and its parsers and decompressors may raise any exception on
        # damaged data.
        except Exception as error:
            fault = str(error) or type(error).__name__
            raise HydranetError(f'The bag {self.path} cannot be read: {fault}') from error


class BagWriter:
    """
    A new rosbag2 in the folder ``path``; use it as a context manager, or call `close`.

    Raises HydranetError if the folder exists or cannot be created, or the storage is neither
    ``mcap`` nor ``sqlite3``.
    """

    def __init__(self, path: str | Path, storage: str = 'mcap') -> None:
        self.path = Path(path).expanduser()
        if storage not in STORAGES:
            raise HydranetError(
                f'There is no bag storage {storage!r}; choose one of {", ".join(STORAGES)}.'
            )
        if self.path.exists():
            raise HydranetError(f'{self.path} exists already; remove it or choose another name.')
        self._rosbags = _import_rosbags()
        plugin = self._rosbags.rosbag2.StoragePlugin[storage.upper()]
        with self._named_faults():
            self._writer = self._rosbags.rosbag2.Writer(
                self.path, version=_METADATA_VERSION, storage_plugin=plugin
            )
            self._writer.open()
        self._store = new_typestore()
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the index and close the bag, even after an error."""
        with self._named_faults():
            self._writer.close()

    def add_topic(
        self, topic: str, message_type: str, *, latched: bool = False, definition: str = ''
    ) -> None:
        """
        Add a topic, once, before its first message is written.

        A latched topic is played as transient local. A type that is not part of ROS 2 needs
        ``definition``, which must include the definitions of all types in it.
        """
        register_type(self._store, message_type, definition)
        qos = [latched_qos()] if latched else []
        self._connections[topic] = self._writer.add_connection(
            topic, message_type, typestore=self._store, offered_qos_profiles=qos
        )

    def write(self, topic: str, time: int, data: bytes) -> None:
        """Append a serialised message (CDR); ``time`` is in nanoseconds since the epoch."""
        with self._named_faults():
            self._writer.write(self._connections[topic], time, data)

    def write_message(self, topic: str, time: int, message: Any) -> None:
        """Serialise a message made by `message_types` and append it."""
        data = self._store.serialize_cdr(message, self._connections[topic].msgtype)
        self.write(topic, time, bytes(data))

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        """Turn the errors of a full disk or a missing permission into HydranetError."""
        try:
            yield
        except (self._rosbags.rosbag2.WriterError, OSError, sqlite3.Error) as error:
            raise HydranetError(f'The bag {self.path} cannot be written: {error}') from error


def _import_rosbags() -> Any:
    """Import rosbags, which is optional."""
    try:
        import rosbags.rosbag2
        import rosbags.rosbag2.storage_mcap
        import rosbags.serde
    except ImportError as error:
        raise missing_package(error) from error
    _accept_other_schemas(rosbags.rosbag2.storage_mcap)
    return rosbags


@lru_cache
def _accept_other_schemas(storage: Any) -> None:
    """Let rosbags open MCAP files that also contain schemas from outside ROS."""
    read_definition = storage.get_msgdef

    def read_ros_definition(schema: Any) -> Any:
        try:
            return read_definition(schema)
        except KeyError:
            return read_definition(None)

    storage.get_msgdef = read_ros_definition


def _is_ros(connection: Connection) -> bool:
    return getattr(connection.ext, 'serialization_format', 'cdr') == 'cdr'


def _bag_topic(connection: Connection) -> BagTopic:
    """Convert the library's description of a topic."""
    from rosbags.interfaces import QosDurability

    profiles = getattr(connection.ext, 'offered_qos_profiles', ())
    latched = any(qos.durability == QosDurability.TRANSIENT_LOCAL for qos in profiles)
    return BagTopic(connection.msgtype, connection.msgcount, latched, connection.msgdef.data)
