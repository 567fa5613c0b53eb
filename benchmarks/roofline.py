# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare the time of the network with the limits of this processor.

    python benchmarks/roofline.py MODEL --size 1200x350

The script measures the highest speeds of matrix multiplication and of memory, and counts the
arithmetic operations and the bytes of each stage. Each count divided by its speed is a time. The
larger of the two times is the least that the stage can take, if no data stays in a cache from one
operation to the next. The measured time of the stage is compared with this least time.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
import re
import time

import numpy as np
import openvino
import torch

from hydranet_ros.cli.common import image_size
from hydranet_ros.model.bundle import load_bundle
from hydranet_ros.model.deployed_graph import DeployedGraph
from hydranet_ros.model.export import to_openvino
from hydranet_ros.resources import model_path
from hydranet_ros.runtime.parity import synthetic_picture

HINTS = {'float32': 'f32', 'bfloat16': 'bf16'}
BYTES = {'float32': 4, 'bfloat16': 2}
STAGES = (
    ('encoder', r'network\.layer\d'),
    ('decoder to stride 8', r'network\.(conv\d|crp[234]|conv_adapt)|network\.network/'),
    ('finest level', r'finest'),
    ('resizing, argmax', r'.'),
)
"""Name of each stage, and pattern of its operation names; the first match is used."""


@dataclass
class Stage:
    """Work of a stage, and the seconds that the runtime takes for it."""

    operations: float = 0.0
    bytes: float = 0.0
    seconds: float = 0.0


def matmul_peak(precision: str, size: int = 1536, rounds: int = 5) -> float:
    """Return the operations per second of a large matrix product; a multiply-add counts as two."""
    a = torch.randn(size, size, dtype=getattr(torch, precision))
    times = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        torch.mm(a, a)
        times.append(time.perf_counter() - begin)
    return 2 * size**3 / min(times)


def memory_peak(megabytes: int = 256, rounds: int = 5) -> float:
    """Return the bytes per second of a copy, counting bytes read and bytes written."""
    source = torch.zeros(megabytes * 2**20 // 4)
    target = torch.zeros_like(source)
    times = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        target.copy_(source)
        times.append(time.perf_counter() - begin)
    return 2 * megabytes * 2**20 / min(times)


def stage_of(name: str) -> str:
    """Return the stage that an operation belongs to."""
    return next(stage for stage, pattern in STAGES if re.search(pattern, name))


def count_work(model: openvino.Model, element: int) -> dict[str, Stage]:
    """Count the operations of convolutions and matrix products, and bytes read and written."""
    stages: dict[str, Stage] = defaultdict(Stage)
    for operation in model.get_ordered_ops():
        if operation.get_type_name() in ('Parameter', 'Constant', 'Result'):
            continue
        stage = stages[stage_of(operation.get_friendly_name())]
        out = int(np.prod(list(operation.output(0).shape)))
        kind = operation.get_type_name()
        if kind in ('Convolution', 'GroupConvolution'):
            weights = list(operation.input_value(1).shape)
            per_output = np.prod(weights[1:] if kind == 'Convolution' else weights[2:])
            stage.operations += 2.0 * out * float(per_output)
        elif kind == 'MatMul':
            stage.operations += 2.0 * out * list(operation.input_value(0).shape)[-1]
        if kind in ('Convolution', 'GroupConvolution', 'MaxPool', 'Interpolate', 'MatMul'):
            moved = out + sum(int(np.prod(list(port.shape))) for port in operation.input_values())
            stage.bytes += float(moved * element)
    return stages


def profile(
    model: openvino.Model, precision: str, rgb: np.ndarray, rounds: int
) -> tuple[dict[str, float], dict[str, float], float]:
    """
    Return the seconds of each stage, of each kind of operation, and of the whole network.

    The whole network is timed without profiling; a profiled run gives the shares of this time.
    """
    settings = {
        'INFERENCE_PRECISION_HINT': HINTS[precision],
        'PERFORMANCE_HINT': 'LATENCY',
        'NUM_STREAMS': '1',
    }
    inputs = [rgb, np.array(1.0, np.float32)]
    core = openvino.Core()
    plain = core.compile_model(model, 'CPU', settings).create_infer_request()
    profiled = core.compile_model(
        model, 'CPU', {**settings, 'PERF_COUNT': True}
    ).create_infer_request()
    times = []
    stages: dict[str, float] = defaultdict(float)
    kinds: dict[str, float] = defaultdict(float)
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        plain.infer(inputs, share_inputs=True)
        times.append(time.perf_counter() - begin)
        profiled.infer(inputs, share_inputs=True)
        for entry in profiled.get_profiling_info():
            seconds = entry.real_time.total_seconds()
            stages[stage_of(entry.node_name)] += seconds
            kinds[entry.node_type] += seconds
    total = sum(stages.values())
    median = float(np.median(times[1:]))
    return (
        {name: median * seconds / total for name, seconds in stages.items()},
        {name: median * seconds / total for name, seconds in kinds.items()},
        median,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('model', help='model file, or the name of a shipped model')
    parser.add_argument('--size', type=image_size, default=(1200, 350), metavar='WxH')
    parser.add_argument('--precisions', nargs='+', choices=HINTS, default=['float32'])
    parser.add_argument('--rounds', type=int, default=10)
    parsed = parser.parse_args()
    width, height = parsed.size
    model = to_openvino(DeployedGraph(load_bundle(model_path(parsed.model))).eval())
    model.reshape({model.input(0): openvino.PartialShape([height, width, 3])})
    rgb = synthetic_picture(height, width)
    memory = memory_peak()
    print(f'memory: {memory / 1e9:.1f} GB/s (copy, read and written)')
    for precision in parsed.precisions:
        peak = matmul_peak(precision)
        print(f'\n{precision}: matrix products {peak / 1e9:.0f} GFLOP/s')
        seconds, kinds, total = profile(model, precision, rgb, parsed.rounds)
        work = count_work(model, BYTES[precision])
        print(
            f'{"stage":22} {"GFLOP":>7} {"MB":>7} {"least ms":>8} {"ms":>7} {"share of peak":>13}'
        )
        for name, _ in STAGES:
            stage = work[name]
            least = max(stage.operations / peak, stage.bytes / memory)
            taken = seconds.get(name, 0.0)
            print(
                f'{name:22} {stage.operations / 1e9:7.2f} {stage.bytes / 1e6:7.0f} '
                f'{1e3 * least:8.1f} {1e3 * taken:7.1f} {stage.operations / peak / taken:12.0%}'
            )
        operations = sum(stage.operations for stage in work.values())
        print(
            f'{"all":22} {operations / 1e9:7.2f} {"":7} {1e3 * operations / peak:8.1f} '
            f'{1e3 * total:7.1f} {operations / peak / total:12.0%}'
        )
        print(
            f'the network takes {total / (operations / peak):.2f} times as long as its operations '
            'would take at the speed of matrix products'
        )
        ranked = sorted(kinds.items(), key=lambda item: -item[1])
        print(
            'by kind of operation: '
            + ', '.join(f'{name} {1e3 * s:.1f} ms' for name, s in ranked[:9])
        )


if __name__ == '__main__':
    main()
