# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Run network files of teachers: TFLite in LiteRT, ONNX in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
import warnings

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.errors import HydranetError


class Session(Protocol):
    """A loaded network file."""

    def run(self, batch: NDArray) -> NDArray:
        """Return the chosen output for one input."""
        ...


class TfliteSession:
    """
    A TFLite file in LiteRT.

    ``tensor`` names the output or inner tensor to return; None is the first output.
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
                # Tensors are preserved on purpose; LiteRT warns that this takes memory.
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
        """Return the chosen output for one input, dequantised."""
        try:
            self._interpreter.set_tensor(self._input['index'], batch)
        except ValueError as error:
            raise HydranetError(
                f'The teacher does not accept the input that its `signature` declares: {error}'
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

    ``tensor`` names the output to return; None is the first output.
    """

    def __init__(self, path: Path, tensor: str | None, threads: int) -> None:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as faults
        except ImportError as error:
            raise HydranetError(
                f'The teacher {path.name} needs ONNX Runtime; install it with '
                "pip install 'hydranet_ros[distillation]'."
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # ONNX Runtime's exceptions have no common base class except Exception.
        self._fault = (faults.Fail, faults.InvalidArgument, RuntimeError, ValueError)
        no_network = (faults.InvalidProtobuf, faults.InvalidGraph, faults.NotImplemented)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except (*no_network, *self._fault) as error:
            raise HydranetError(f'The teacher {path} is not an ONNX file.') from error
        names = [output.name for output in self._session.get_outputs()]
        if tensor is not None and tensor not in names:
            raise HydranetError(
                f'The teacher {path} has no output {tensor!r}, only {", ".join(names)}.'
            )
        self._output = tensor or names[0]
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: NDArray) -> NDArray:
        """Return the chosen output for one input."""
        try:
            return self._session.run([self._output], {self._input: batch})[0]
        except self._fault as error:
            reason = ' '.join(str(error).split())
            raise HydranetError(
                f'The teacher does not accept the input that its `signature` declares: {reason}'
            ) from error


SESSIONS: dict[str, type[TfliteSession] | type[OnnxSession]] = {
    '.tflite': TfliteSession,
    '.onnx': OnnxSession,
}
