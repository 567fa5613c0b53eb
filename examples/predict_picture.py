# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Predict classes and depth of one picture: ``python predict_picture.py IMAGE [FX]``.

FX is the focal length of the camera in pixels; without it the model's default is assumed.
"""

import sys

import cv2
import numpy as np

from hydranet_ros.pictures.render import colorize_depth, colorize_labels
from hydranet_ros.runtime.predictor import Predictor


def main() -> None:
    """Print what is in the picture, and write segmentation.png and depth.png."""
    rgb = cv2.cvtColor(cv2.imread(sys.argv[1]), cv2.COLOR_BGR2RGB)
    fx = float(sys.argv[2]) if len(sys.argv) > 2 else None

    predictor = Predictor('street_kitchen')
    prediction = predictor.predict(rgb, fx)

    for label in np.unique(prediction.labels):
        pixels = prediction.labels == label
        distance = np.median(prediction.depth[pixels])
        name = predictor.label_set.classes[label]
        print(f'{name}: {pixels.mean():.0%} of the picture, {distance:.1f} m away')

    colors = colorize_labels(prediction.labels, predictor.label_set)
    cv2.imwrite('segmentation.png', colors[..., ::-1])
    cv2.imwrite('depth.png', colorize_depth(prediction.depth, 0.5, 80.0)[..., ::-1])


if __name__ == '__main__':
    main()
