# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Models of the Hugging Face hub as teachers, by name or from a folder.

Models for semantic segmentation (such as SegFormer) and metric depth (such as the metric variants
of Depth Anything) are supported. Images are resized and normalised here, without the image
processor of transformers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
import hashlib
from typing import Any

from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.labels import LabelSet
from hydranet_ros.training.distillation.teachers.signature import Signature, SignatureTeacher
from hydranet_ros.training.distillation.teachers.tiled_views import Views


@dataclass(frozen=True)
class Settings:
    """The content of such a teacher's file."""

    model: str  # name on the hub, or a folder with config.json and the weights
    size: tuple[int, int]  # height and width of the network's input
    label_set: str | None = None  # of the model's classes; None for a depth model
    revision: str | None = None  # commit, tag or branch on the hub; None for the newest
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """The input is (rgb / 255 - mean) / std."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    views: Views = field(default_factory=Views)
    device: str = 'cpu'  # cpu, cuda or cuda:N


class HuggingFaceTeacher(SignatureTeacher):
    """A model of the Hugging Face hub as a teacher."""

    def __init__(self, settings: Settings) -> None:
        signature = Signature(
            size=settings.size,
            meaning='logits' if settings.label_set else 'depth',
            label_set=settings.label_set,
            mean=settings.mean,
            std=settings.std,
            layout='nchw',
        )
        super().__init__(signature, settings.views)
        self._device = settings.device
        self._model = _load_model(settings)
        if self.labels is None:
            _check_metric(settings.model, self._model.config)
        else:
            _check_classes(settings.model, self._model.config.id2label, self.labels)
        self.identity = {
            'kind': 'huggingface',
            'model': settings.model,
            'revision': settings.revision,
            'sha256': _weights_sha256(self._model),
            'signature': asdict(signature),
            'views': asdict(settings.views),
        }

    def _run(self, batch: NDArray) -> NDArray:
        import torch

        with torch.inference_mode():
            outputs = self._model(pixel_values=torch.from_numpy(batch).to(self._device))
        raw = outputs.predicted_depth if self.gives_depth else outputs.logits
        output: NDArray = raw.float().cpu().numpy()
        return output


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
        # Weights in other formats than safetensors would be unpickled, which can run code.
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
            f'{len(expected)}; choose the label set of the teacher.'
        )
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one != other:
            raise HydranetError(
                f'Class {index} of the teacher {name} is {one!r} but that of {labels.name} is '
                f'{other!r}; choose the label set of the teacher.'
            )


def _plain(name: str) -> str:
    """Return a class name without irrelevant differences in spelling."""
    return name.lower().replace('_', ' ').replace('-', ' ').strip()


def _check_metric(name: str, config: Any) -> None:
    if getattr(config, 'depth_estimation_type', 'relative') != 'metric':
        raise HydranetError(
            f'The teacher {name} gives relative depth, without metres; choose a metric variant.'
        )


def _weights_sha256(model: Any) -> str:
    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


load = HuggingFaceTeacher
