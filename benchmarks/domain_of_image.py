#!/usr/bin/env python3
# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Check whether a model with several label sets can tell to which of them an image belongs.

The share of a label set in an image is the sum of the softmax probabilities of its classes, where
the softmax is over all label sets; the share is averaged over the pixels. See
docs/experiments/training.md.

    python benchmarks/domain_of_image.py street_kitchen camvid --split val --set data=DIR
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import torch

from hydranet_ros.cli.common import parse_variables
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.errors import HydranetError
from hydranet_ros.model.bundle import load_bundle
from hydranet_ros.resources import model_path


@torch.inference_mode()
def main() -> None:
    """Print for how many images each label set has the largest share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('model')
    parser.add_argument('dataset')
    parser.add_argument('--split', default='test')
    parser.add_argument('--stride', type=int, default=1)
    parser.add_argument('--set', nargs='*', default=[], metavar='NAME=VALUE')
    arguments = parser.parse_args()
    bundle = load_bundle(model_path(arguments.model))
    network, slices = bundle.network(), bundle.metadata.label_slices
    dataset = load_dataset(arguments.dataset, arguments.split, parse_variables(arguments.set))
    mean, deviation = (np.array(v) for v in (bundle.metadata.mean, bundle.metadata.std))
    shares = []
    for index in range(0, len(dataset), arguments.stride):
        image = (dataset.load(index).image / 255 - mean) / deviation
        logits = network(torch.from_numpy(image.transpose(2, 0, 1)[None]).float())['segmentation']
        probability = logits[0].softmax(0).mean((1, 2))
        shares.append([float(probability[s.start : s.stop].sum()) for s in slices])
    largest = np.argmax(shares, axis=1)
    for number, piece in enumerate(slices):
        low, median, high = np.percentile(np.array(shares)[:, number], [0, 50, 100])
        print(
            f'{piece.labels.name}: largest in {(largest == number).mean():.1%} of {len(shares)} '
            f'images; share {low:.3f} to {high:.3f}, median {median:.3f}'
        )


if __name__ == '__main__':
    try:
        main()
    except HydranetError as error:
        sys.exit(f'domain_of_image: {error}')
