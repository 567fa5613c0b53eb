# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Exported graphs: one file for one runtime, as `hydranet export` writes it.

The file holds the graph and the metadata of its bundle, so a predictor needs no other file. The
metadata is read here with the standard library only, because a robot may lack the package that
wrote the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import json
from pathlib import Path
from xml.etree import ElementTree
import zipfile

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, BundleMetadata, load_bundle, METADATA_KEY

FORMAT_OF_SUFFIX = {
    '.onnx': 'onnx',
    '.xml': 'openvino',
    '.ts': 'torchscript',
    '.pt2': 'torch-export',
}
"""Maps the suffix of a file to its format."""
_ONNX_METADATA_FIELD = 14
"""Field number of ``metadata_props`` in the ``ModelProto`` of onnx.proto."""


@dataclass(frozen=True)
class ExportedModel:
    """A deployed graph in a file."""

    metadata: BundleMetadata  # of the exported bundle
    format: str  # a value of FORMAT_OF_SUFFIX
    fields: tuple[str, ...]  # the graph's outputs, in order
    label_set: str | None  # predicted label set; None without segmentation
    size: tuple[int, int] | None  # the only (height, width) accepted; None for any
    precision: str  # float32, or int8 for a quantised graph
    path: Path

    def to_json(self) -> str:
        """Return the JSON text stored in the file."""
        return json.dumps(
            {
                'model': json.loads(self.metadata.to_json()),
                'fields': self.fields,
                'label_set': self.label_set,
                'size': self.size,
                'precision': self.precision,
            }
        )


def read_model(path: Path) -> Bundle | ExportedModel:
    """Read a model file of any format; its suffix names the format."""
    if path.suffix not in FORMAT_OF_SUFFIX:
        return load_bundle(path)
    try:
        text = _READERS[path.suffix](path)
    except (zipfile.BadZipFile, ElementTree.ParseError, IndexError, UnicodeDecodeError) as error:
        raise HydranetError(f'{path} is damaged ({error}); export the model again.') from error
    except OSError as error:
        raise HydranetError(f'Cannot read model {path}: {error.strerror or error}.') from error
    if text is None:
        raise HydranetError(
            f'{path} was not made by hydranet_ros: export a model with `hydranet export`.'
        )
    try:
        content = json.loads(text)
        size = content['size']
        return ExportedModel(
            BundleMetadata.from_json(json.dumps(content['model']), str(path)),
            FORMAT_OF_SUFFIX[path.suffix],
            tuple(content['fields']),
            content['label_set'],
            None if size is None else (int(size[0]), int(size[1])),
            content['precision'],
            path,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise HydranetError(
            f'{path} has metadata that hydranet_ros cannot read ({error}); export it again.'
        ) from error


def _read_openvino(path: Path) -> str | None:
    element = ElementTree.parse(path).getroot().find(f'rt_info/{METADATA_KEY}')
    return None if element is None else element.get('value')


def _read_torch_archive(path: Path) -> str | None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(f'extra/{METADATA_KEY}'):
                return archive.read(name).decode()
    return None


def _read_onnx(path: Path) -> str | None:
    for number, value in _protobuf_fields(path.read_bytes()):
        if number == _ONNX_METADATA_FIELD:
            entry = dict(_protobuf_fields(value))
            if entry.get(1) == METADATA_KEY.encode():
                return entry[2].decode()
    return None


def _protobuf_fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each length-delimited field of a Protocol Buffers message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            _, position = _varint(message, position)
        elif kind == 2:
            length, position = _varint(message, position)
            yield tag >> 3, message[position : position + length]
            position += length
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise IndexError(f'wire type {kind} at byte {position}')


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


_READERS = {
    '.onnx': _read_onnx,
    '.xml': _read_openvino,
    '.ts': _read_torch_archive,
    '.pt2': _read_torch_archive,
}
