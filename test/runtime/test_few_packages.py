# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""A robot needs no more than the packages that package.xml names."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from checkout import CHECKOUT
import pytest

PROGRAM = """
import sys
sys.modules.update(dict.fromkeys(('openvino', 'onnxruntime', 'rosbags', 'safetensors', 'scipy')))
import numpy as np
from hydranet_ros.runtime.predictor import Predictor
predictor = Predictor('street_kitchen', warm_up_size=(64, 64))
prediction = predictor.predict(np.zeros((64, 64, 3), np.uint8), fx=60.0)
assert np.isfinite(prediction.depth).all()
if {ros}:
    import hydranet_ros.node.perception.perception_node
print(predictor.backend.name)
"""


def test_torch_alone_runs_the_model_of_the_package() -> None:
    if importlib.util.find_spec('torch') is None:
        pytest.skip('torch is not installed')
    ros = importlib.util.find_spec('rclpy') is not None
    program = [sys.executable, '-c', PROGRAM.format(ros=ros)]
    done = subprocess.run(program, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, 'torch'), done.stderr
