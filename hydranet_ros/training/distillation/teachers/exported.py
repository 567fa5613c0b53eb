# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers that are TFLite or ONNX files, with a declared signature."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.training.distillation.teachers.base import Annotation, file_sha256, Teacher
from hydranet_ros.training.distillation.teachers.inference_sessions import Session, SESSIONS
from hydranet_ros.training.distillation.teachers.signature import Signature, softmax
from hydranet_ros.training.distillation.teachers.tiled_views import resize, Views


@dataclass(frozen=True)
class Settings:
    """
    What the file of such a teacher says.

    Attributes
    ----------
    file
        A ``.tflite`` or ``.onnx`` file.
    signature
        What goes in and comes out.
    views
        How images are shown to it.
    threads
        Number of CPU threads.

    """

    file: str
    signature: Signature
    views: Views = field(default_factory=Views)
    threads: int = 1


class ExportedTeacher(Teacher):
    """
    A TFLite or ONNX file as a teacher.

    Raises
    ------
    HydranetError
        If the file cannot be loaded, or its runtime is not installed.

    """

    def __init__(self, settings: Settings) -> None:
        path = Path(settings.file).expanduser()
        session = SESSIONS.get(path.suffix)
        if session is None:
            raise HydranetError(
                f'The teacher {path} is neither of {", ".join(SESSIONS)}; give such a file.'
            )
        self.signature = settings.signature
        self.views = settings.views
        name = self.signature.label_set
        self.labels = load_label_set(name) if name else None
        self.gives_depth = self.signature.meaning == 'depth'
        self.identity = {
            'kind': 'exported',
            'file': path.name,
            'sha256': file_sha256(path),
            'signature': asdict(self.signature),
            'views': asdict(self.views),
        }
        self._session: Session = session(path, self.signature.tensor, settings.threads)

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Annotate one image (see ``Teacher.annotate``)."""
        values = self.views.average(rgb, self._infer)
        return Annotation(depth=values[..., 0]) if self.gives_depth else Annotation(scores=values)

    def _infer(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        classes = self.labels.size if self.labels else 0
        output = self._session.run(self.signature.prepare(tile))
        values = resize(self.signature.interpret(output, classes), *tile.shape[:2])
        # Logits are smooth, so they are what is interpolated; ids become shares of belief.
        return softmax(values) if self.signature.meaning == 'logits' else values


load = ExportedTeacher
