# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Measure the speed of a model on this machine, for several runtimes and for plain torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
import time
from typing import Any, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.working_width import NATIVE
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.runtime.machine import machine, memory, reset_peak_memory
from hydranet_ros.runtime.parity import synthetic_picture
from hydranet_ros.runtime.predictor import Predictor

if TYPE_CHECKING:
    from hydranet_ros.model.bundle import Bundle

WARM_UP_ROUNDS = 2


@dataclass(frozen=True)
class Case:
    """One way to run a model."""

    backend: str
    precision: str
    size: tuple[int, int]  # width, height


@dataclass(frozen=True)
class Timing:
    """Median and 95th percentile, in milliseconds."""

    median: float
    p95: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """Summarise durations in seconds."""
        milliseconds = 1e3 * np.asarray(seconds)
        return cls(float(np.median(milliseconds)), float(np.percentile(milliseconds, 95)))


@dataclass(frozen=True)
class Result:
    """The result of a case."""

    backend: str
    device: str
    precision: str
    size: tuple[int, int]
    load: float  # seconds to open the model
    first: float  # seconds for the first image of this size, including compilation
    forward: Timing  # of the network alone
    end_to_end: Timing  # of Predictor.predict, from the uint8 image to the arrays
    rate: float  # images per second, processed one after the other
    memory: float | None
    """
    Growth of the process's peak memory in megabytes while the case was opened and first run; None
    if the system does not provide it.
    """
    speedup: float | None
    """
    Time of :class:`PlainWay` divided by the time of this case (median over the rounds); None if
    :class:`PlainWay` was not run.
    """


@dataclass(frozen=True)
class Report:
    """The machine and the results, in the order of the cases."""

    machine: dict[str, str]
    model: str
    rounds: int
    plain: dict[str, Timing]
    results: list[Result]

    def to_dict(self) -> dict[str, Any]:
        """Return the report in plain JSON types."""
        return asdict(self)


class PlainWay:
    """
    The network as published: eager torch in float32, NumPy for its input, OpenCV for its output.

    The first label set of the model is predicted.
    """

    def __init__(self, bundle: Bundle) -> None:
        import torch
        from torch import nn, Tensor
        from torch.nn import functional

        class Pooling(nn.Module):
            """Chained residual pooling with plain 5x5 max-pools."""

            def __init__(self, convolutions: Iterable[nn.Module]) -> None:
                super().__init__()
                self.convolutions = nn.ModuleList(convolutions)

            def forward(self, x: Tensor) -> Tensor:
                link = x
                for convolution in self.convolutions:
                    link = convolution(functional.max_pool2d(link, 5, stride=1, padding=2))
                    x = x + link
                return x

        self._torch = torch
        self._network = bundle.network()
        self._metadata = bundle.metadata
        piece = bundle.metadata.label_slice(None)
        self._classes = slice(piece.start, piece.stop) if piece else slice(None)
        for level in (1, 2, 3, 4):
            chain = self._network.get_submodule(f'crp{level}.0')
            setattr(self._network, f'crp{level}', Pooling(list(chain.children())))

    def predict(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return labels and depth, each an empty array if the model lacks this task."""
        import cv2

        from hydranet_ros.model.network import OUTPUT_STRIDE

        torch = self._torch
        height, width = rgb.shape[:2]
        mean, std = (np.array(v, np.float32) for v in (self._metadata.mean, self._metadata.std))
        x = ((rgb / np.float32(255) - mean) / std).transpose(2, 0, 1)[None]
        with torch.no_grad():
            raw = self._network(torch.from_numpy(np.ascontiguousarray(x)))
        if 'segmentation' in raw:
            raw['segmentation'] = raw['segmentation'][:, self._classes]
        cubic = self._metadata.interpolation == 'bicubic'
        mode = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
        full = {}
        for task, output in raw.items():
            size = width, height
            if self._metadata.upsampling == 'double':
                size = OUTPUT_STRIDE * output.shape[3], OUTPUT_STRIDE * output.shape[2]
            low = output[0].permute(1, 2, 0).numpy()
            full[task] = cv2.resize(low, size, interpolation=mode)[:height, :width]
        labels = depth = np.empty(0)
        if 'segmentation' in full:
            labels = full['segmentation'].argmax(axis=2).astype(np.uint8)
        if 'depth' in full:
            depth = np.abs(full['depth'])
        return labels, depth


@dataclass
class _Runner:
    """A predictor being measured, and its durations so far in seconds."""

    predictor: Predictor
    load: float
    first: float
    memory: float | None
    forward: list[float]
    total: list[float]

    def run(self, rgb: NDArray[np.uint8]) -> float:
        begin = time.perf_counter()
        prediction = self.predictor.predict(rgb)
        self.total.append(time.perf_counter() - begin)
        self.forward.append(prediction.timing['forward'])
        return self.total[-1]


def measure(
    model: Bundle | ExportedModel,
    cases: Sequence[Case],
    *,
    rounds: int,
    device: str = 'auto',
    plain: Bundle | None = None,
    working_width: int = NATIVE,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """
    Measure all cases; cases with the same image size alternate, so that conditions are equal.

    Parameters
    ----------
    rounds
        Number of images per case.
    plain
        Model to run as :class:`PlainWay` in every round for comparison, or None.
    working_width
        As for :class:`Predictor`; native, so that the network runs at the given sizes.
    progress
        Called with a description of each step.

    """
    results: list[Result] = []
    plain_timings: dict[str, Timing] = {}
    reference = PlainWay(plain) if plain is not None else None
    for size in dict.fromkeys(case.size for case in cases):
        rgb = synthetic_picture(size[1], size[0])
        runners = []
        for case in (case for case in cases if case.size == size):
            progress(f'{case.backend} {case.precision} {size[0]}x{size[1]}: loading')
            runners.append(_open(model, case, device, rgb, working_width))
        seconds: list[float] = []
        progress(f'{size[0]}x{size[1]}: {rounds} rounds')
        for turn in range(WARM_UP_ROUNDS + rounds):
            if turn == WARM_UP_ROUNDS:
                seconds.clear()
                for runner in runners:
                    runner.total.clear()
                    runner.forward.clear()
            if reference is not None:
                begin = time.perf_counter()
                reference.predict(rgb)
                seconds.append(time.perf_counter() - begin)
            for runner in runners:
                runner.run(rgb)
        if reference is not None:
            plain_timings[f'{size[0]}x{size[1]}'] = Timing.of(seconds)
        for runner in runners:
            results.append(_result(runner, size, seconds))
            runner.predictor.close()
    return Report(machine(), model.metadata.name, rounds, plain_timings, results)


def _open(
    model: Bundle | ExportedModel,
    case: Case,
    device: str,
    rgb: NDArray[np.uint8],
    working_width: int,
) -> _Runner:
    before = reset_peak_memory()
    begin = time.perf_counter()
    predictor = Predictor(
        model,
        backend=case.backend,
        precision=case.precision,
        device=device,
        warm_up_size=None,
        working_width=working_width,
    )
    load = time.perf_counter() - begin
    runner = _Runner(predictor, load, 0.0, None, [], [])
    runner.first = runner.run(rgb)
    peak = memory('VmHWM')
    runner.memory = None if before is None or peak is None else peak - before
    return runner


def _result(runner: _Runner, size: tuple[int, int], plain: Sequence[float]) -> Result:
    predictor = runner.predictor
    end_to_end = Timing.of(runner.total)
    return Result(
        predictor.backend.name,
        predictor.backend.device,
        predictor.backend.precision,
        size,
        runner.load,
        runner.first,
        Timing.of(runner.forward),
        end_to_end,
        1e3 / end_to_end.median,
        runner.memory,
        float(np.median(np.divide(plain, runner.total))) if plain else None,
    )
