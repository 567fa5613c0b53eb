# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
The runtimes that can run the deployed graph, one module each, behind one small interface.

A runtime's module is imported only when it is chosen, so that none needs another's packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.bundle import Bundle
from hydranet_ros.errors import HydranetError


class Backend(Protocol):
    """
    One model, ready to run on one device.

    Attributes
    ----------
    name
        Name of the runtime, e.g. ``torch``.
    device
        Where it runs, e.g. ``cpu`` or ``cuda:0``.
    precision
        ``float32``, ``float16`` or ``bfloat16``.
    fields
        Names of the arrays that :meth:`run` returns.

    """

    name: str
    device: str
    precision: str
    fields: tuple[str, ...]

    def run(
        self, image: NDArray[np.uint8], length_scale: float
    ) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
        """
        Run the deployed graph on one image.

        Parameters
        ----------
        image
            H x W x 3, uint8, RGB, C-contiguous; read only during the call.
        length_scale
            Factor on lengths: fx / canonical focal length.

        Returns
        -------
        outputs
            Field name to array of H x W or H x W x C, owned by the caller.
        timing
            Seconds by stage: ``upload``, ``forward``, ``download``.

        """
        ...

    def close(self) -> None:
        """Free the device's memory; the backend is not used afterwards."""
        ...


@dataclass(frozen=True)
class Runtime:
    """Where a backend is, what it needs, and which precisions and devices it has."""

    module: str
    package: str
    precisions: tuple[str, ...]


RUNTIMES: Mapping[str, Runtime] = {
    'torch': Runtime('hydranet_ros.backends.torch_backend', 'torch', ('float32', 'float16')),
}
"""By preference: the first that is installed is used where none is named."""


def open_backend(
    bundle: Bundle,
    *,
    backend: str = 'auto',
    device: str = 'auto',
    precision: str = 'auto',
    label_set: str | None = None,
    fields: Sequence[str] | None = None,
) -> Backend:
    """
    Load a model into a runtime.

    Parameters
    ----------
    bundle
        The model.
    backend
        A name of ``RUNTIMES``, or ``auto``.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    precision
        ``auto``, or one that the runtime has.
    label_set, fields
        As for :class:`hydranet_ros.pipeline.DeployedGraph`.

    Raises
    ------
    HydranetError
        If the runtime is unknown or not installed, or it has no such device or precision.

    """
    name = _choose_runtime() if backend == 'auto' else backend
    if name not in RUNTIMES:
        raise HydranetError(
            f'There is no backend {name!r}; known are auto, {", ".join(RUNTIMES)}.'
        )
    runtime = RUNTIMES[name]
    if find_spec(runtime.package) is None:
        raise HydranetError(
            f'Backend {name!r} needs the Python package {runtime.package}, which is not '
            'installed; install it or choose another backend.'
        )
    if precision not in ('auto', *runtime.precisions):
        raise HydranetError(
            f'Backend {name!r} has no precision {precision!r}; choose auto, '
            f'{" or ".join(runtime.precisions)}.'
        )
    opened: Backend = import_module(runtime.module).open_backend(
        bundle, device=device, precision=precision, label_set=label_set, fields=fields
    )
    return opened


def _choose_runtime() -> str:
    for name, runtime in RUNTIMES.items():
        if find_spec(runtime.package) is not None:
            return name
    packages = ', '.join(runtime.package for runtime in RUNTIMES.values())
    raise HydranetError(f'No runtime for the network is installed; install one of: {packages}.')
