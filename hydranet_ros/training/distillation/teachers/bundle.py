# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Our own models as teachers.

The paper's teacher for street depth is such a model: the same network, trained on depth only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.working_width import NATIVE
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import load_bundle
from hydranet_ros.model.tasks import CONFIDENCE_LEVELS
from hydranet_ros.resources import model_path
from hydranet_ros.runtime.predictor import Predictor
from hydranet_ros.training.distillation.teachers.base import Annotation, Teacher
from hydranet_ros.training.distillation.teachers.tiled_views import Views

_FIELDS = {'segmentation': ('labels', 'confidence'), 'depth': ('depth',)}


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file."""

    model: str  # a model file, or the name of a shipped model
    tasks: tuple[str, ...] | None = None  # tasks to teach; None for all that can be taught
    label_set: str | None = None  # one of the model's label sets; None for the first
    views: Views = field(default_factory=Views)
    """
    Used for labels only. Depth is predicted from the whole image, since the scale of depth
    depends on the focal length.
    """
    device: str = 'auto'  # auto, cpu, cuda or cuda:N


class BundleTeacher(Teacher):
    """
    One of our own models as a teacher.

    The score of a pixel's best class is its softmax probability; other classes get 0.
    """

    def __init__(self, settings: Settings) -> None:
        bundle = load_bundle(model_path(settings.model))
        predicted = bundle.metadata.tasks
        tasks = settings.tasks or tuple(task for task in _FIELDS if task in predicted)
        for task in tasks:
            if task not in _FIELDS or task not in predicted:
                raise HydranetError(
                    f'Model {bundle.metadata.name} cannot teach {task}; it predicts '
                    f'{", ".join(predicted)}.'
                )
        self._predictor = Predictor(
            bundle,
            device=settings.device,
            precision='float32',
            label_set=settings.label_set,
            fields=[field for task in tasks for field in _FIELDS[task]],
            working_width=NATIVE,  # the views choose the size
        )
        self._views = settings.views
        self.gives_depth = 'depth' in tasks
        self.labels = self._predictor.label_set if 'segmentation' in tasks else None
        self.identity = {
            'kind': 'bundle',
            'model': bundle.metadata.name,
            'sha256': bundle.sha256,
            'label_set': self.labels.name if self.labels else None,
            'views': asdict(settings.views),
        }

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Annotate one image (see ``Teacher.annotate``); depth is scaled by ``fx``."""
        scores = self._views.average(rgb, self._score) if self.labels else None
        depth = self._predictor.predict(rgb, fx).depth if self.gives_depth else None
        return Annotation(scores, depth)

    def _score(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert self.labels is not None
        prediction = self._predictor.predict(tile)
        assert prediction.labels is not None
        assert prediction.confidence is not None
        scores = np.zeros((*tile.shape[:2], self.labels.size), np.float32)
        confidence = prediction.confidence.astype(np.float32) / CONFIDENCE_LEVELS
        np.put_along_axis(
            scores, prediction.labels[..., None].astype(np.int64), confidence[..., None], axis=-1
        )
        return scores


load = BundleTeacher
