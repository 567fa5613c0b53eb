# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers that are TFLite or ONNX files, with a declared signature."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.teachers.base import file_sha256
from hydranet_ros.training.distillation.teachers.inference_sessions import Session, SESSIONS
from hydranet_ros.training.distillation.teachers.signature import Signature, SignatureTeacher
from hydranet_ros.training.distillation.teachers.tiled_views import Views


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file."""

    file: str  # a .tflite or .onnx file
    signature: Signature
    views: Views = field(default_factory=Views)
    threads: int = 1  # on the CPU


class ExportedTeacher(SignatureTeacher):
    """A TFLite or ONNX file as a teacher."""

    def __init__(self, settings: Settings) -> None:
        path = Path(settings.file).expanduser()
        session = SESSIONS.get(path.suffix)
        if session is None:
            raise HydranetError(f'The teacher {path} is not a {" or ".join(SESSIONS)} file.')
        super().__init__(settings.signature, settings.views)
        self.identity = {
            'kind': 'exported',
            'file': path.name,
            'sha256': file_sha256(path),
            'signature': asdict(self.signature),
            'views': asdict(self.views),
        }
        self._session: Session = session(path, self.signature.tensor, settings.threads)

    def _run(self, batch: NDArray) -> NDArray:
        return self._session.run(batch)


load = ExportedTeacher
