# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Comparison of reports: figures as in the reports, intervals that hold what they promise."""

from __future__ import annotations

import json
from pathlib import Path
import re
from typing import Any

from evaluated_bags import FakePredictor, make_bag
from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

from hydranet_ros.bags.topics import find_topics
from hydranet_ros.cli.main import main
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation.bag_evaluation import evaluate_bag
from hydranet_ros.evaluation.bag_report import write_report
from hydranet_ros.evaluation.comparison import block_weights, compare_reports, read_report
from hydranet_ros.evaluation.measures import EvaluationProtocol
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.runtime.predictor import Prediction

PROTOCOL = {'label_set': None, 'depth_range': [0.001, 80.0], 'crop': None}


class ScaledPredictor(FakePredictor):
    """Doubles the depth."""

    def predict(self, rgb: NDArray[np.uint8], fx: float | None = None) -> Prediction:
        """Predict one image."""
        found = super().predict(rgb, fx)
        assert found.depth is not None
        return Prediction(labels=found.labels, depth=2 * found.depth)


@pytest.fixture(scope='module')
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp('comparison')
    bag = make_bag(folder / 'bag', 6)
    protocol = EvaluationProtocol(load_label_set('kitti6'))
    paths = []
    for name, predictor in (('plain', FakePredictor()), ('doubled', ScaledPredictor())):
        evaluation = evaluate_bag(
            bag,
            find_topics,
            protocol,
            predictor=predictor,
            predicted_tasks=('segmentation', 'depth'),
        )
        write_report(folder / name, {'bag': str(bag), 'model': name}, [evaluation.frames])
        paths.append(folder / name)
    return paths


def depth_report(errors: NDArray[np.float64]) -> dict[str, Any]:
    frames = [
        {'stamp': index, 'depth': {**dict.fromkeys(KEYS, float(error)), 'pixels': 100}}
        for index, error in enumerate(errors)
    ]
    return {'about': {}, 'protocol': PROTOCOL, 'frames': frames}


KEYS = ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'delta1')


def test_figures_are_those_of_the_reports(reports: list[Path]) -> None:
    contents = [read_report(path) for path in reports]
    differences = compare_reports(*contents)
    assert len(differences) == 7
    for each in differences:
        for content, value in zip(contents, (each.before, each.after), strict=True):
            figures = content['figures'][each.figure.task]
            assert value == pytest.approx(figures[each.figure.name], rel=1e-9)
        assert each.low <= each.after - each.before <= each.high
    verdicts = {f'{d.figure.task} {d.figure.name}': d.verdict for d in differences}
    assert verdicts['segmentation mean_iou'] == 'unclear'  # nothing has changed
    assert verdicts['depth abs_rel'] == verdicts['depth rmse'] == 'worse'


def test_command(reports: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / 'table.md'
    files = [str(reports[0]), str(reports[1] / 'report.json'), str(reports[0])]
    assert main(['compare', *files, '--draws', '50', '-o', str(output)]) == 0
    printed = capsys.readouterr().out
    assert printed.strip() == output.read_text().strip()
    assert printed.count('| depth abs_rel | 6 |') == 2
    assert printed.count('worse') >= 2


def test_order_decides_the_sign(reports: list[Path]) -> None:
    contents = [read_report(path) for path in reports]
    forth, back = compare_reports(*contents), compare_reports(*reversed(contents))
    for one, other in zip(forth, back, strict=True):
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 60))
def test_samples_have_the_size_of_the_recording(count: int, draws: int, block: int) -> None:
    weights = block_weights(count, draws, block)
    assert weights.shape == (draws, count)
    np.testing.assert_array_equal(weights.sum(axis=1), count)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Frames that resemble their neighbours: blocks cover, single frames do not."""
    generator = np.random.default_rng(1)
    covered = {1: 0, 20: 0}
    trials, count = 50, 200
    for _ in range(trials):
        noise = generator.normal(size=count + 20)
        change = 0.1 + np.convolve(noise, np.ones(10) / 10)[slice(10, 10 + count)]
        base = generator.uniform(1, 2, count)
        for block in covered:
            before, after = depth_report(base), depth_report(base + change)
            (first, *_) = compare_reports(before, after, draws=100, block=block)
            covered[block] += first.low <= 0.1 <= first.high
    assert covered[20] >= 0.7 * trials
    assert covered[1] <= 0.6 * trials


def test_the_page_shows_what_the_table_shows(
    reports: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / 'comparison.html'
    assert main(['compare', *map(str, reports), '-o', str(page)]) == 0
    table, html = capsys.readouterr().out, page.read_text()
    assert html.count('class="interval"') == table.count(' … ') > 2
    for verdict in ('better', 'worse', 'unclear'):
        assert html.count(f'<tr class="{verdict}">') == table.count(f'| {verdict} |')
    assert not re.search(r'(src|href)=', html)


def test_an_assumed_focal_length_is_told(
    reports: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {**read_report(reports[0]), 'faults': ['The focal length was assumed.']}
    path = tmp_path / 'assumed.json'
    path.write_text(json.dumps(content))
    assert main(['compare', str(reports[0]), str(path)]) == 0
    assert f'{path}: The focal length was assumed.' in capsys.readouterr().out


def test_faults_are_named(
    reports: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = read_report(reports[0])
    other_range = {**content, 'protocol': {**content['protocol'], 'depth_range': [0.1, 10.0]}}
    moved = {
        **content,
        'frames': [{**row, 'stamp': row['stamp'] + 1} for row in content['frames']],
    }
    with pytest.raises(HydranetError, match='depth range'):
        compare_reports(content, other_range)
    with pytest.raises(HydranetError, match='no frame in common'):
        compare_reports(content, moved)
    files = {'broken.json': '{', 'other.json': json.dumps({'images': 3})}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    for arguments, sentence in (
        ([str(reports[0])], 'two reports'),
        ([str(reports[0]), str(tmp_path / 'broken.json')], 'is not a report'),
        ([str(reports[0]), str(tmp_path / 'other.json')], 'not a report of a recording'),
        ([str(reports[0]), str(tmp_path / 'none')], 'cannot be read'),
        ([*map(str, reports), '--confidence', '2'], 'between 0 and 1'),
    ):
        assert main(['compare', *arguments]) == 1
        assert sentence in capsys.readouterr().err
