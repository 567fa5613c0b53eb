# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Teachers that are TFLite or ONNX files, with a declared signature."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol
import warnings

import cv2
import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError
from hydranet_ros.labels import load_label_set
from hydranet_ros.training.teachers.base import Annotation, file_sha256, Teacher
from hydranet_ros.training.teachers.views import resize, Views

LAYOUTS = ('nhwc', 'nchw')
MEANINGS = ('ids', 'logits', 'probabilities', 'depth')


@dataclass(frozen=True)
class Signature:
    """
    What goes into an exported network and what its output means.

    Attributes
    ----------
    size
        Height and width of the input in pixels.
    meaning
        ``ids`` (class ids), ``logits`` or ``probabilities`` (a channel a class), or ``depth``.
    label_set
        Name of the label set of its classes; None for depth.
    dtype
        ``uint8`` (the image's own values) or ``float32`` (normalised).
    mean, std
        The float input is (rgb / 255 - mean) / std.
    layout
        ``nhwc`` or ``nchw``, of the input and of outputs with channels.
    channels
        ``rgb`` or ``bgr``.
    tensor
        Name of the output, or of an inner tensor of a TFLite file (the logits ahead of a built-in
        argmax tell more than its ids); None is the first output.
    metres
        Metres per unit of a depth output.

    """

    size: tuple[int, int]
    meaning: str
    label_set: str | None = None
    dtype: str = 'float32'
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = 'nhwc'
    channels: str = 'rgb'
    tensor: str | None = None
    metres: float = 1.0

    def __post_init__(self) -> None:
        """
        Check the values.

        Raises
        ------
        HydranetError
            If one is not allowed, or the label set does not go with the meaning.

        """
        for name, allowed in (
            ('meaning', MEANINGS),
            ('layout', LAYOUTS),
            ('dtype', ('uint8', 'float32')),
            ('channels', ('rgb', 'bgr')),
        ):
            if getattr(self, name) not in allowed:
                raise HydranetError(
                    f"A signature's {name} is one of {', '.join(allowed)}, not "
                    f'{getattr(self, name)!r}.'
                )
        if len(self.size) != 2 or min(self.size) < 1:
            raise HydranetError("A signature's size is the height and the width in pixels.")
        if (self.label_set is None) != (self.meaning == 'depth'):
            raise HydranetError('A signature names a label_set unless its meaning is depth.')

    def prepare(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Return a tile as the network's input, with a batch axis of one."""
        height, width = self.size
        shrinks = rgb.shape[0] >= height and rgb.shape[1] >= width
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(rgb, (width, height), interpolation=interpolation))
        if self.channels == 'bgr':
            image = image[..., ::-1]
        if self.dtype == 'float32':
            mean, std = np.float32(self.mean), np.float32(self.std)
            image = (image.astype(np.float32) / np.float32(255) - mean) / std
        if self.layout == 'nchw':
            image = image.transpose(2, 0, 1)
        return np.ascontiguousarray(image[None])

    def interpret(self, output: NDArray, classes: int) -> NDArray[np.float32]:
        """
        Return an output as logits, shares or metres of shape (h, w, channels).

        Raises
        ------
        HydranetError
            If its shape or ids do not fit the signature.

        """
        if self.meaning in ('ids', 'depth'):
            plane = np.squeeze(output)
            if plane.ndim != 2:
                raise HydranetError(
                    f'The teacher gave {self.meaning} of the shape {output.shape}, not an image.'
                )
            if self.meaning == 'depth':
                return (plane.astype(np.float32) * np.float32(self.metres))[..., None]
            if plane.min() < 0 or plane.max() >= classes:
                raise HydranetError(
                    f'The teacher gave the id {plane.max()} but its label set '
                    f'{self.label_set} has {classes} classes.'
                )
            return np.eye(classes, dtype=np.float32)[plane.astype(np.int64)]
        values = output[0].astype(np.float32)
        if self.layout == 'nchw':
            values = values.transpose(1, 2, 0)
        if values.ndim != 3 or values.shape[2] != classes:
            raise HydranetError(
                f'The teacher gave {self.meaning} of the shape {output.shape} but its label set '
                f'{self.label_set} has {classes} classes.'
            )
        return values


class Session(Protocol):
    """A loaded network file."""

    def run(self, batch: NDArray) -> NDArray:
        """Return the chosen output for one input."""
        ...


class TfliteSession:
    """
    A TFLite file in LiteRT.

    Parameters
    ----------
    path
        The file.
    tensor
        Name of the output or inner tensor to return, None for the first output.
    threads
        Number of CPU threads.

    Raises
    ------
    HydranetError
        If LiteRT is not installed, the file is not TFLite, or has no such tensor.

    """

    def __init__(self, path: Path, tensor: str | None, threads: int) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise HydranetError(
                f'The teacher {path.name} needs LiteRT; install it with '
                "pip install 'hydranet_ros[distillation]'."
            ) from error
        try:
            with warnings.catch_warnings():
                # It warns of the memory that keeping inner tensors takes; that is meant.
                warnings.simplefilter('ignore', UserWarning)
                self._interpreter = Interpreter(
                    str(path),
                    num_threads=threads,
                    experimental_preserve_all_tensors=tensor is not None,
                )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise HydranetError(f'The teacher {path} is not a TFLite file.') from error
        self._input = self._interpreter.get_input_details()[0]
        details = self._interpreter.get_tensor_details()
        if tensor is None:
            self._output = self._interpreter.get_output_details()[0]
        else:
            found = [detail for detail in details if detail['name'] == tensor]
            if not found:
                raise HydranetError(f'The teacher {path} has no tensor {tensor!r}.')
            self._output = found[0]

    def run(self, batch: NDArray) -> NDArray:
        """
        Return the chosen output for one input, dequantised.

        Raises
        ------
        HydranetError
            If the input is not what the file takes.

        """
        try:
            self._interpreter.set_tensor(self._input['index'], batch)
        except ValueError as error:
            raise HydranetError(
                f'The teacher does not take its declared input: {error}'
            ) from error
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output['index'])
        scale, zero = self._output['quantization']
        if scale == 0:
            return output
        values = output.astype(np.float32)
        values -= zero
        values *= scale
        return values


class OnnxSession:
    """
    An ONNX file in ONNX Runtime.

    Parameters
    ----------
    path
        The file.
    tensor
        Name of the output to return, None for the first.
    threads
        Number of CPU threads.

    Raises
    ------
    HydranetError
        If ONNX Runtime is not installed, the file is not ONNX, or has no such output.

    """

    def __init__(self, path: Path, tensor: str | None, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise HydranetError(
                f'The teacher {path.name} needs ONNX Runtime; install it with '
                "pip install 'hydranet_ros[distillation]'."
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(str(path), options)
        except (RuntimeError, ValueError) as error:
            raise HydranetError(f'The teacher {path} is not an ONNX file: {error}.') from error
        names = [output.name for output in self._session.get_outputs()]
        if tensor is not None and tensor not in names:
            raise HydranetError(
                f'The teacher {path} has no output {tensor!r}, only {", ".join(names)}.'
            )
        self._output = tensor or names[0]
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: NDArray) -> NDArray:
        """
        Return the chosen output for one input.

        Raises
        ------
        HydranetError
            If the input is not what the file takes.

        """
        try:
            return self._session.run([self._output], {self._input: batch})[0]
        except (RuntimeError, ValueError) as error:
            raise HydranetError(
                f'The teacher does not take its declared input: {error}'
            ) from error


SESSIONS: dict[str, type[TfliteSession] | type[OnnxSession]] = {
    '.tflite': TfliteSession,
    '.onnx': OnnxSession,
}


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


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


load = ExportedTeacher
