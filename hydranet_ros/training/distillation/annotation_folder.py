# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Folders of annotations that teachers wrote, kept apart from those that people wrote.

Such a folder has ``manifest.json``, which describes how the annotations were made, and one file
per annotation. For each annotation, ``provenance/STEM.json`` has the SHA-256 of its inputs and of
its file. So the state of each annotation is known: up to date, made by another teacher, or
corrected by a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
import hashlib
import json
import os
from pathlib import Path
import tempfile
from typing import Any

from hydranet_ros.errors import HydranetError

MANIFEST = 'manifest.json'
PROVENANCE = 'provenance'


class State(Enum):
    """The state of one annotation."""

    MISSING = 'missing'
    CURRENT = 'current'
    OUTDATED = 'outdated'
    EDITED = 'edited'


class AnnotationFolder:
    """
    A folder for the annotations of one task; it is created if needed.

    Raises HydranetError if the folder has files but no manifest: people may have made the files.

    Parameters
    ----------
    suffix
        Suffix of the annotation files, with its dot.
    recipe
        Everything that determines the annotations, in plain JSON types. Annotations with the same
        recipe and inputs are kept; others are replaced.
    about
        Further content of the manifest, in plain JSON types.

    """

    def __init__(
        self, path: Path, suffix: str, recipe: Mapping[str, Any], about: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.suffix = suffix
        self.fingerprint = sha256(_json(recipe))
        (path / PROVENANCE).mkdir(parents=True, exist_ok=True)
        foreign = [
            entry.name
            for entry in path.iterdir()
            # Names that start with a dot are unfinished files of other processes.
            if entry.name != PROVENANCE and not entry.name.startswith('.')
        ]
        if foreign and not (path / MANIFEST).is_file():
            raise HydranetError(
                f'{path} holds files (such as {sorted(foreign)[0]}) that `hydranet distill` did '
                'not write; give an empty or new output folder.'
            )
        manifest = {**about, 'recipe': recipe, 'fingerprint': self.fingerprint}
        write_atomically(path / MANIFEST, _json(manifest))

    def file(self, stem: str) -> Path:
        """Return the path of an annotation."""
        return self.path / f'{stem}{self.suffix}'

    def state(self, stem: str, inputs: Mapping[str, str]) -> State:
        """
        Return the state of the annotation of the image with this stem.

        ``inputs`` has the SHA-256 of the files that the annotation is made from, by name. Raises
        HydranetError if the annotation has no valid provenance.
        """
        file = self.file(stem)
        if not file.exists():
            return State.MISSING
        try:
            record = json.loads(self._provenance(stem).read_text(encoding='utf-8'))
            made = record['sha256'], record['inputs'], record['fingerprint']
        except (OSError, ValueError, KeyError) as error:
            raise HydranetError(
                f'{file} has no readable provenance, so a person may have made it; move it '
                'elsewhere if the teacher should annotate this image.'
            ) from error
        if made[0] != sha256(file.read_bytes()):
            return State.EDITED
        return State.CURRENT if made[1:] == (inputs, self.fingerprint) else State.OUTDATED

    def write(
        self, stem: str, content: bytes, inputs: Mapping[str, str], about: Mapping[str, Any]
    ) -> None:
        """
        Write an annotation whose state is missing or outdated, with its provenance.

        An interruption leaves either no annotation or a complete one with its provenance.
        """
        record = {
            **about,
            'sha256': sha256(content),
            'inputs': dict(inputs),
            'fingerprint': self.fingerprint,
        }
        self.file(stem).unlink(missing_ok=True)
        write_atomically(self._provenance(stem), _json(record))
        write_atomically(self.file(stem), content)

    def _provenance(self, stem: str) -> Path:
        return self.path / PROVENANCE / f'{stem}.json'


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: readers see all of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(content)
        # mkstemp makes the file private; set the permissions of an ordinary file.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + '\n').encode()
