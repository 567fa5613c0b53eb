# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The model file: weights, and everything needed to use and to assess them.

A bundle is a ``.safetensors`` file. Its tensors are the network's state dict, in float16 or
float32. The entry ``hydranet`` of its metadata is a JSON object with the fields of
:class:`BundleMetadata`. A bundle is read without torch and without unpickling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
import hashlib
import json
import math
from pathlib import Path
from typing import Any, Literal, TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.model.encoders import DEFAULT_ENCODER, ENCODERS
from hydranet_ros.model.labels import LabelSet, load_label_set
from hydranet_ros.model.safetensors_file import read_safetensors
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.resources import noted

if TYPE_CHECKING:
    from hydranet_ros.model.network import HydraNet, Upsampling

FORMAT_VERSION = 1
METADATA_KEY = 'hydranet'
INTERPOLATIONS = ('bicubic', 'bilinear')
UPSAMPLINGS = ('double', 'fit')
StorageType = Literal['float16', 'float32']
Weights = Mapping[str, NDArray[Any]]
T = TypeVar('T')


@dataclass(frozen=True)
class LabelSlice:
    """
    A label set and its first channel in the segmentation logits.

    A network that was trained on several label sets outputs the logits of one set after the
    other; class ``id`` of this label set is channel ``start + id``.
    """

    labels: LabelSet
    start: int = 0

    @classmethod
    def concatenate(cls, label_sets: Iterable[LabelSet]) -> tuple[LabelSlice, ...]:
        """Return the slices of label sets that are given in the order of their logits."""
        slices: list[LabelSlice] = []
        for labels in label_sets:
            slices.append(cls(labels, slices[-1].stop if slices else 0))
        return tuple(slices)

    @property
    def stop(self) -> int:
        """Return the index after the last channel."""
        return self.start + self.labels.size


@dataclass(frozen=True)
class BundleMetadata:
    """Everything needed to use a set of weights."""

    name: str
    tasks: dict[str, int]  # task name to number of output channels
    label_slices: tuple[LabelSlice, ...] = ()
    """Label sets of the segmentation logits; the first is the default."""
    architecture: str = DEFAULT_ENCODER  # of the encoder, a key of ENCODERS
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # normalisation of RGB in [0, 1]
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    depth_range: tuple[float, float] = (1e-3, 1000.0)  # metres at the canonical focal length
    interpolation: str = 'bicubic'  # how raw outputs are upsampled to image size
    upsampling: Upsampling = 'fit'  # how coarse maps are upsampled, see hydranet_ros.model.network
    canonical_focal: float | None = None
    """
    Focal length in pixels to which the depth output refers; None if the model was trained for one
    camera. Metric depth = output * fx / canonical_focal (Yin et al., Metric3D, 2023).
    """
    default_focal: float | None = None
    """
    Focal length in pixels that is assumed for images of ``default_size`` if the camera's is
    unknown; without ``default_size``, for images of every size.
    """
    default_size: tuple[int, int] | None = None  # width and height, pixels
    focal_range: tuple[float, float] | None = None
    """
    Focal lengths in pixels for which the model was trained; None if unknown. Images of other
    cameras are resized to this range (:mod:`hydranet_ros.runtime.working_size`).
    """
    license: str = 'unknown'
    provenance: dict[str, Any] = field(default_factory=dict)  # how the weights were made
    figures: dict[str, Any] = field(default_factory=dict)  # measured metrics, e.g. mIoU

    def __post_init__(self) -> None:
        if fault := self._fault():
            raise HydranetError(f'Model {self.name!r} is inconsistent: {fault}.')

    def _fault(self) -> str | None:
        if not self.tasks:
            return 'it has no task'
        for task, channels in self.tasks.items():
            if task not in TASKS:
                return f'its task {task!r} is unknown (known are {", ".join(TASKS)})'
            expected = TASKS[task].fixed_channels
            if channels < 1 or (expected is not None and channels != expected):
                return f'its task {task!r} has {channels} output channels'
        if len(self.mean) != 3 or len(self.std) != 3 or not all(value > 0 for value in self.std):
            return 'its normalisation is not three means and three positive deviations'
        minimum, maximum = self.depth_range
        if not (math.isfinite(maximum) and 0 < minimum < maximum):
            return f'its depth range {minimum} to {maximum} m is not positive and increasing'
        for attribute, known in (
            ('architecture', tuple(ENCODERS)),
            ('interpolation', INTERPOLATIONS),
            ('upsampling', UPSAMPLINGS),
        ):
            if getattr(self, attribute) not in known:
                return f'its {attribute} {getattr(self, attribute)!r} is not one of {known}'
        return self._fault_of_focal_lengths() or self._fault_of_label_slices()

    def _fault_of_focal_lengths(self) -> str | None:
        for focal in (self.canonical_focal, self.default_focal):
            if focal is not None and not (math.isfinite(focal) and focal > 0):
                return f'its focal length {focal} px is not positive'
        if self.default_size is not None and not min(self.default_size) > 0:
            return f'its default image size {self.default_size} is not positive'
        if self.focal_range is not None:
            lowest, highest = self.focal_range
            if not (math.isfinite(highest) and 0 < lowest <= highest):
                return (
                    f'its focal lengths {lowest} to {highest} px are not positive and increasing'
                )
        return None

    def _fault_of_label_slices(self) -> str | None:
        stop = 0
        for piece in self.label_slices:
            if piece.start != stop:
                return f'label set {piece.labels.name!r} starts at {piece.start}, not at {stop}'
            stop = piece.stop
        if stop != self.tasks.get('segmentation', 0):
            return (
                f'its label sets name {stop} classes and its segmentation has '
                f'{self.tasks.get("segmentation", 0)} channels'
            )
        return None

    def label_slice(self, name: str | None = None) -> LabelSlice | None:
        """Return the slice of a label set, by default the first; None without segmentation."""
        if not name:
            return self.label_slices[0] if self.label_slices else None
        for piece in self.label_slices:
            if piece.labels.name == name:
                return piece
        names = ', '.join(piece.labels.name for piece in self.label_slices) or 'none'
        raise HydranetError(f'Model {self.name!r} has no label set {name!r}; it has: {names}.')

    def slice_of(self, label_set: str | None) -> LabelSlice | None:
        """
        Return the slice that has the classes of a label set, or None.

        The label set is the name of a file in ``config/labels``, the path of another, or None.
        """
        classes = load_label_set(label_set).classes if label_set else None
        return next((p for p in self.label_slices if p.labels.classes == classes), None)

    def focal_length(self, fx: float | None, width: int, height: int) -> tuple[float | None, bool]:
        """
        Return the focal length of an image in pixels, and whether it is assumed.

        ``fx`` is that of the camera, in pixels of the image. If it is None, the default focal
        length is assumed, scaled with the square root of the number of pixels if the model has a
        ``default_size``; without a default, the canonical one. A model for one camera needs no
        focal length, so it assumes none.
        """
        if fx is not None:
            if not (math.isfinite(fx) and fx > 0):
                raise HydranetError(
                    f'A focal length of {fx} pixels is impossible; give a positive number, or '
                    'none.'
                )
            return fx, False
        assumed = self.canonical_focal is not None
        if self.default_focal is None or self.default_size is None:
            return self.default_focal or self.canonical_focal, assumed
        pixels = self.default_size[0] * self.default_size[1]
        return self.default_focal * math.sqrt(width * height / pixels), assumed

    def length_scale(self, focal: float | None, resized: float = 1.0) -> float:
        """
        Return the factor for the depth output.

        ``focal`` is the focal length in pixels of the image that the network sees, ``resized`` the
        factor by which the image of the camera was resized. To a model for one camera, an enlarged
        image looks nearer.
        """
        if self.canonical_focal is None or focal is None:
            return resized
        return focal / self.canonical_focal

    def to_json(self) -> str:
        """Return the metadata as the JSON text stored in a model file."""
        content = {
            'format_version': FORMAT_VERSION,
            **{key: getattr(self, key) for key in self.__dataclass_fields__},
            'label_slices': [
                {'start': piece.start, 'labels': piece.labels.to_dict()}
                for piece in self.label_slices
            ],
        }
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, source: str = 'The model') -> BundleMetadata:
        """
        Parse the text that :meth:`to_json` returns.

        Raises HydranetError if the text is invalid or has another format version.
        """
        try:
            content = json.loads(text)
            version = content.pop('format_version')
            if version != FORMAT_VERSION:
                raise HydranetError(
                    f'{source} has format version {version}, but this package reads version '
                    f'{FORMAT_VERSION}; use a matching release of hydranet_ros.'
                )
            content['label_slices'] = tuple(
                LabelSlice(LabelSet.from_dict(piece['labels'], source), int(piece['start']))
                for piece in content['label_slices']
            )
            content['tasks'] = {str(k): int(v) for k, v in content['tasks'].items()}
            for key in ('mean', 'std', 'depth_range', 'focal_range', 'default_size'):
                if content.get(key) is not None:
                    number = int if key == 'default_size' else float
                    content[key] = tuple(number(value) for value in content[key])
            return cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise HydranetError(
                f'{source} has metadata that hydranet_ros cannot read ({error}).'
            ) from error


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model in memory."""

    metadata: BundleMetadata
    weights: Weights = field(repr=False)  # state-dict key to float32 array
    path: Path | None = None  # None for a model made in memory
    sha256: str | None = None  # of the file, hexadecimal

    @classmethod
    def from_network(cls, metadata: BundleMetadata, network: HydraNet) -> Bundle:
        """Make a bundle from metadata and a copy of a network's weights."""
        if any(
            getattr(network, each) != getattr(metadata, each)
            for each in ('tasks', 'upsampling', 'architecture')
        ):
            raise ValueError(f'The network does not fit the metadata of model {metadata.name!r}.')
        weights = {
            key: tensor.detach().cpu().float().numpy().copy()
            for key, tensor in without_counters(network.state_dict()).items()
        }
        return cls(metadata, weights)

    def network(self) -> HydraNet:
        """
        Build the network with these weights, in evaluation mode; needs torch.

        Raises HydranetError if the weights do not fit the tasks in the metadata.
        """
        import torch

        from hydranet_ros.model.network import HydraNet

        metadata = self.metadata
        network = HydraNet(metadata.tasks, metadata.upsampling, metadata.architecture).eval()
        state = without_counters(network.state_dict())
        expected = {key: tuple(tensor.shape) for key, tensor in state.items()}
        found = {key: tuple(array.shape) for key, array in self.weights.items()}
        for key in sorted(expected.keys() | found.keys()):
            if expected.get(key) != found.get(key):
                raise HydranetError(
                    f'{self.path or "The model"} does not fit its own metadata: {key} should be '
                    f'{_shape(expected.get(key))} but is {_shape(found.get(key))}; convert or '
                    'train it again.'
                )
        state = {key: torch.from_numpy(np.array(array)) for key, array in self.weights.items()}
        network.load_state_dict(state, strict=False)
        return network


def without_counters(state: Mapping[str, T]) -> dict[str, T]:
    """Return a state dict without the step counters of batch norm, which no model needs."""
    return {key: value for key, value in state.items() if not key.endswith('num_batches_tracked')}


def _shape(shape: tuple[int, ...] | None) -> str:
    return 'absent' if shape is None else 'x'.join(str(n) for n in shape) or 'a scalar'


def load_bundle(path: str | Path) -> Bundle:
    """Read a model file; raises HydranetError if it is missing, damaged or not a model file."""
    path = Path(path)
    try:
        content = noted(path).read_bytes()
        metadata, weights = read_safetensors(content)
    except OSError as error:
        raise HydranetError(f'Cannot read model {path}: {error.strerror or error}.') from error
    except ValueError as error:
        raise HydranetError(
            f'{path} is truncated or not a safetensors file ({error}); copy it again, or convert '
            'a checkpoint with `hydranet convert`.'
        ) from error
    if METADATA_KEY not in metadata:
        raise HydranetError(
            f'{path} is a safetensors file but not a model of hydranet_ros: make one with '
            '`hydranet convert` or `hydranet train`.'
        )
    for key, array in weights.items():
        if not np.isfinite(array).all():
            raise HydranetError(f'{path} is damaged: {key} holds values that are not finite.')
    digest = hashlib.sha256(content).hexdigest()
    return Bundle(
        BundleMetadata.from_json(metadata[METADATA_KEY], str(path)), weights, path, digest
    )


def save_bundle(path: str | Path, bundle: Bundle, dtype: StorageType = 'float16') -> Bundle:
    """
    Write a model file and return the bundle with the file's path and hash.

    An existing file is replaced atomically. float16 halves the file size; the weights then have a
    relative error of about 1e-3.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != '.safetensors':
        raise HydranetError(f'The name of a model file must end in .safetensors: {path}.')
    limit = float(np.finfo(dtype).max)
    for key, array in bundle.weights.items():
        if not (np.abs(array) <= limit).all():
            raise HydranetError(
                f'{key} has values that {dtype} cannot hold; store the model as float32.'
            )
    stored = {
        key: np.ascontiguousarray(array, dtype=dtype) for key, array in bundle.weights.items()
    }
    content = save(stored, {METADATA_KEY: bundle.metadata.to_json()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + '.partial')
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise HydranetError(f'Cannot write model {path}: {error.strerror or error}.') from error
    return replace(bundle, path=path, sha256=hashlib.sha256(content).hexdigest())
