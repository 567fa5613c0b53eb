# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Quantise the deployed graph to 8-bit integers, for OpenVINO.

Post-training quantisation runs the network on sample images and records the range of every
activation; convolutions then compute with 8-bit integers (Jacob et al., 2018). 8-bit convolutions
are several times faster on processors with instructions for them (VNNI, AMX). Quantisation changes
the results, so always measure by how much, as ``hydranet quantize`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydranet_ros.camera.resize import resize_image
from hydranet_ros.camera.working_width import MODEL_CHOICE
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import Bundle, METADATA_KEY
from hydranet_ros.model.deployed_graph import DeployedGraph
from hydranet_ros.model.exported_model import ExportedModel
from hydranet_ros.runtime.working_size import choose_working_size

_LEFT_IN_FLOAT = (
    # Everything outside the network: rounding in the upsampling would show in every pixel, and
    # calibration, where the depth scale is always 1, does not see the range of scaled depth.
    r'^(?!__module\.network).*',
    # The first convolution: int8 does not make it faster. Quantisation raised the depth error by
    # 4 % with this convolution in int8, and by 1 % with it in floating point.
    r'^__module\.network\.network\.layer1\..*',
    # The sums of the finest chain of poolings: quantising them adds more passes over large maps
    # than it saves.
    r'^__module\.network\.finest.*aten::add.*',
)
"""Name patterns of the operations that stay in floating point."""


def quantize(
    bundle: Bundle,
    images: Sequence[NDArray[np.uint8]],
    path: Path,
    *,
    label_set: str | None = None,
) -> ExportedModel:
    """
    Quantise a model and write it as an OpenVINO file.

    Parameters
    ----------
    images
        About a hundred typical input images, H x W x 3, uint8, RGB.
    path
        The output file, which must end in ``.xml``.
    label_set
        Label set of the model to predict; None for the first.

    """
    if path.suffix != '.xml':
        raise HydranetError(f'A quantised model is an OpenVINO file and must end in .xml: {path}.')
    if not images:
        raise HydranetError('Quantisation needs images to calibrate with; give at least one.')
    try:
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
        import openvino
    except ModuleNotFoundError as error:
        raise HydranetError(
            f'Quantisation needs the Python package {error.name}; install it.'
        ) from error
    from hydranet_ros.model.export import to_openvino

    logging.getLogger('nncf').setLevel(logging.ERROR)
    graph = DeployedGraph(bundle, label_set).eval()
    quantised: Any = nncf.quantize(
        to_openvino(graph),
        nncf.Dataset(
            [_as_seen(rgb, bundle) for rgb in images], lambda rgb: [rgb, np.float32(1.0)]
        ),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(patterns=list(_LEFT_IN_FLOAT)),
        # Use the full observed range; the default, a mean over images, clips large depths.
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX
        ),
    )
    model = replace(graph.exported(path, 'openvino'), precision='int8')
    quantised.set_rt_info(model.to_json(), [METADATA_KEY])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(quantised, path, compress_to_fp16=False)
    except (OSError, RuntimeError) as error:
        raise HydranetError(f'Cannot write {path}: {error}.') from error
    return model


def _as_seen(rgb: NDArray[np.uint8], bundle: Bundle) -> NDArray[np.uint8]:
    """Resize an image of an unknown camera as a predictor does."""
    height, width = rgb.shape[:2]
    working = choose_working_size(bundle.metadata, width, height, None, MODEL_CHOICE)
    return np.ascontiguousarray(resize_image(rgb, working.size))
