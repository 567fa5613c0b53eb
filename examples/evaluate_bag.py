# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure a model on a bag with ground truth: ``python evaluate_bag.py BAG [MODEL]``.

``hydranet make-bag`` makes such a bag. The images are predicted here; no ROS is needed.
"""

from pathlib import Path
import sys

from hydranet_ros.bags.topics import find_topics
from hydranet_ros.evaluation.bag_evaluation import evaluate_bag
from hydranet_ros.evaluation.bag_report import write_report
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.runtime.predictor import Predictor


def main() -> None:
    """Print the mean IoU and the depth errors, and write a report."""
    bag = Path(sys.argv[1])
    predictor = Predictor(sys.argv[2] if len(sys.argv) > 2 else 'street_kitchen')

    result = evaluate_bag(
        bag,
        find_topics,
        EvaluationProtocol(predictor.label_set, depth_range=(0.1, 80.0)),
        predictor=predictor,
        predicted_tasks=predictor.metadata.tasks,
    )
    for name, value in result.frames.running().items():
        print(f'{name} {value:.3f}')
    print(f'{len(result.frames.rows)} of {result.frames.images} images were measured')
    write_report(Path('report'), {'bag': str(bag)}, [result.frames], result.faults)


if __name__ == '__main__':
    main()
