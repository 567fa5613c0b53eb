# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Models of the Hugging Face hub as teachers, by name or from a folder.

Those of semantic segmentation (such as SegFormer) and of metric depth (such as Depth Anything's
metric variants) are taken. Their images are prepared here, since that needs no more than a size
and a normalisation.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import LabelSet, load_label_set
from hydranet_ros.training.distillation.teachers.base import Annotation, Teacher
from hydranet_ros.training.distillation.teachers.signature import Signature, softmax
from hydranet_ros.training.distillation.teachers.tiled_views import resize, Views


@dataclass(frozen=True)
class Settings:
    """
    What the file of such a teacher says.

    Attributes
    ----------
    model
        Name on the hub, or a folder with ``config.json`` and the weights.
    size
        Height and width that its images are brought to.
    label_set
        Name of the label set of its classes; None for a model of depth.
    revision
        Commit, tag or branch on the hub; None is its newest.
    mean, std
        The input is (rgb / 255 - mean) / std.
    views
        How images are shown to it.
    device
        ``cpu``, ``cuda`` or ``cuda:N``.

    """

    model: str
    size: tuple[int, int]
    label_set: str | None = None
    revision: str | None = None
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    views: Views = field(default_factory=Views)
    device: str = 'cpu'


class HuggingFaceTeacher(Teacher):
    """
    A model of the Hugging Face hub as a teacher.

    Raises
    ------
    HydranetError
        If ``transformers`` is not installed, the model cannot be loaded, its classes are not
        those of the label set, or its depth is not metric.

    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._signature = Signature(
            size=settings.size,
            meaning='logits' if settings.label_set else 'depth',
            label_set=settings.label_set,
            mean=settings.mean,
            std=settings.std,
            layout='nchw',
        )
        self._model = _load_model(settings)
        self.gives_depth = settings.label_set is None
        if settings.label_set is None:
            _check_metric(settings.model, self._model.config)
        else:
            self.labels = load_label_set(settings.label_set)
            _check_classes(settings.model, self._model.config.id2label, self.labels)
        self.identity = {
            'kind': 'huggingface',
            'model': settings.model,
            'revision': settings.revision,
            'sha256': _weights_sha256(self._model),
            'signature': asdict(self._signature),
            'views': asdict(settings.views),
        }

    def annotate(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Annotation:
        """Annotate one image (see ``Teacher.annotate``); ``fx`` is not used."""
        values = self._settings.views.average(rgb, self._infer)
        return Annotation(depth=values[..., 0]) if self.gives_depth else Annotation(scores=values)

    def _infer(self, tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        batch = torch.from_numpy(self._signature.prepare(tile)).to(self._settings.device)
        with torch.inference_mode():
            outputs = self._model(pixel_values=batch)
        raw = outputs.predicted_depth if self.gives_depth else outputs.logits
        classes = self.labels.size if self.labels else 0
        values = self._signature.interpret(raw.float().cpu().numpy(), classes)
        values = resize(values, *tile.shape[:2])
        return values if self.gives_depth else softmax(values)


def _load_model(settings: Settings) -> Any:
    try:
        from transformers import AutoModelForDepthEstimation, AutoModelForSemanticSegmentation
    except ImportError as error:
        raise HydranetError(
            f'The teacher {settings.model} needs the package transformers; install it with '
            "pip install 'hydranet_ros[distillation]'."
        ) from error
    loader = (
        AutoModelForSemanticSegmentation if settings.label_set else AutoModelForDepthEstimation
    )
    try:
        # Weights of other formats than safetensors would be unpickled.
        model = loader.from_pretrained(
            settings.model, revision=settings.revision or 'main', use_safetensors=True
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip('.')
        raise HydranetError(f'The teacher {settings.model} cannot be loaded: {reason}.') from error
    return model.eval().to(settings.device)


def _check_classes(name: str, id2label: dict[int, str], labels: LabelSet) -> None:
    found = [_plain(id2label[index]) for index in sorted(id2label)]
    expected = [_plain(label) for label in labels.classes]
    if len(found) != len(expected):
        raise HydranetError(
            f'The teacher {name} has {len(found)} classes but {labels.name} has '
            f'{len(expected)}; name its own label set.'
        )
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one != other:
            raise HydranetError(
                f'Class {index} of the teacher {name} is {one!r} but that of {labels.name} is '
                f'{other!r}; name its own label set.'
            )


def _plain(name: str) -> str:
    """Return a class name without the differences in spelling that mean nothing."""
    return name.lower().replace('_', ' ').replace('-', ' ').strip()


def _check_metric(name: str, config: Any) -> None:
    if getattr(config, 'depth_estimation_type', 'relative') != 'metric':
        raise HydranetError(
            f'The teacher {name} gives relative depth, from which no metres can be learned; take '
            'a metric variant.'
        )


def _weights_sha256(model: Any) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


load = HuggingFaceTeacher
