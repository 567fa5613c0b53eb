# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of a model on a dataset: figures, report, picture sheet and command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from training_data import street, write_streets

from hydranet_ros.camera.camera import ideal_camera
from hydranet_ros.cli.main import main
from hydranet_ros.data.open_dataset import load_dataset
from hydranet_ros.data.sample import Sample
from hydranet_ros.evaluation.dataset_evaluation import evaluate, Evaluation, ImageScore
from hydranet_ros.evaluation.figures import FIGURES, figures_of
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES
from hydranet_ros.evaluation.metrics import ConfusionMatrix, DepthMetrics
from hydranet_ros.evaluation.picture_sheet import chosen, picture_sheet
from hydranet_ros.evaluation.report import json_report, text_report
from hydranet_ros.model.labels import load_label_set
from hydranet_ros.model.tasks import TASKS
from hydranet_ros.pictures.panels import Look
from hydranet_ros.runtime.predictor import Prediction

CAMVID = load_label_set('camvid11')


@dataclass
class Guesser:
    """Predicts what it remembers of each image, made worse by a known amount."""

    memory: dict[bytes, Sample]
    depth_factors: Sequence[float] = (1.0, 1.2, 1.5)
    warmed: tuple[tuple[int, int], ...] = ()
    focal_lengths: tuple[float | None, ...] = ()

    def warm_up(self, height: int, width: int, _fx: float | None = None) -> float:
        """Note the size."""
        self.warmed += ((height, width),)
        return 0.0

    def predict(self, rgb: np.ndarray, fx: float | None = None) -> Prediction:
        """Shift the labels by 2 pixels a factor above 1, and scale the depth by the factor."""
        number = list(self.memory).index(rgb.tobytes())
        sample = self.memory[rgb.tobytes()]
        self.focal_lengths += (fx,)
        factor = self.depth_factors[number % len(self.depth_factors)]
        labels = np.roll(sample.segmentation, round(20 * (factor - 1)), axis=0)
        depth = np.nan_to_num(sample.depth, nan=7.0) * np.float32(factor)
        return Prediction(labels=labels, depth=depth, timing={'forward': 0.01, 'total': 0.02})


class Streets:
    """Three made-up streets in memory; the last one without depth."""

    def __init__(self) -> None:
        self.samples = []
        for number in range(3):
            arrays: dict[str, Any] = street(number)
            depth = arrays['depth'].astype(np.float32) / 256
            depth[depth == 0] = np.nan
            self.samples.append(
                Sample(
                    f'street {number}',
                    arrays['image'],
                    arrays['segmentation'],
                    'camvid11',
                    depth,
                    camera=ideal_camera(96, 64, 100.0 + number),
                )
            )
        self.complete = list(self.samples)
        self.samples[2] = replace(self.samples[2], depth=None)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.samples)

    def load(self, index: int) -> Sample:
        """Return a sample."""
        return self.samples[index]

    def guesser(self) -> Guesser:
        """Return a predictor that knows the streets."""
        return Guesser({sample.image.tobytes(): sample for sample in self.complete})


@pytest.fixture
def streets() -> Streets:
    """Return three streets."""
    return Streets()


def test_every_task_has_a_measure() -> None:
    assert set(MEASURES) == set(TASKS)
    for name, measure in MEASURES.items():
        assert measure.field == TASKS[name].fields[0].name


def test_every_figure_is_in_the_table() -> None:
    protocol = EvaluationProtocol(CAMVID)
    for task, measure in MEASURES.items():
        names = [figure.name for figure in figures_of(task)]
        assert list(measure.make(protocol).pooled()) == names
        assert names == [
            name for name in measure.figures(measure.make(protocol), protocol) if name in FIGURES
        ]


def test_the_figures_are_those_of_the_metrics(streets: Streets) -> None:
    guesser = streets.guesser()
    found = evaluate(guesser, streets, ('segmentation', 'depth'), EvaluationProtocol(CAMVID))
    matrix, depth = ConfusionMatrix(11), DepthMetrics(1e-3, 80)
    for sample in streets.samples:
        prediction = streets.guesser().predict(sample.image)
        matrix.update(prediction.labels, sample.segmentation)
        if sample.depth is not None:
            depth.update(prediction.depth, sample.depth)
    segmentation = found.figures['segmentation']
    assert segmentation['mean_iou'] == matrix.mean_iou() < 1
    assert segmentation['classes']['road']['iou'] == matrix.iou()[3]
    assert np.isnan(segmentation['classes']['fence']['iou'])
    assert depth.pooled().items() <= found.figures['depth'].items()
    assert found.figures['depth']['mean_of_images']['abs_rel'] == pytest.approx(0.1, abs=1e-5)
    assert found.images == 3
    assert found.figures['depth']['images'] == 2
    assert found.milliseconds['total'] == {'median': 20.0, 'p95': 20.0}


def test_the_focal_length_is_passed_on_and_each_size_warmed_up_once(streets: Streets) -> None:
    guesser = streets.guesser()
    evaluate(guesser, streets, ('depth',), EvaluationProtocol())
    assert guesser.focal_lengths == (100.0, 101.0, 102.0)
    assert guesser.warmed == ((64, 96),)


def test_images_are_ranked_from_the_best_to_the_worst(streets: Streets) -> None:
    found = evaluate(
        streets.guesser(), streets, ('segmentation', 'depth'), EvaluationProtocol(CAMVID)
    )
    assert [score.index for score in found.ranking['segmentation']] == [0, 1, 2]
    assert found.ranking['segmentation'][0].quality == 1.0
    assert [score.name for score in found.ranking['depth']] == ['street 0', 'street 1']
    assert found.ranking['depth'][1].quality == pytest.approx(-0.2, abs=1e-5)


def test_a_crop_and_a_range_limit_the_depth_that_counts(streets: Streets) -> None:
    whole = evaluate(streets.guesser(), streets, ('depth',), EvaluationProtocol())
    garg = evaluate(streets.guesser(), streets, ('depth',), EvaluationProtocol(crop='garg'))
    near = evaluate(
        streets.guesser(), streets, ('depth',), EvaluationProtocol(depth_range=(1e-3, 5.0))
    )
    pixels = [found.figures['depth']['pixels'] for found in (whole, garg, near)]
    assert pixels[1] < pixels[0] and pixels[2] < pixels[0]
    truth = np.concatenate([streets.samples[n].depth.ravel() for n in (0, 1)])
    assert pixels[0] == np.isfinite(truth).sum()
    assert pixels[2] == (truth < 5).sum()


def test_some_of_the_images_can_be_chosen(streets: Streets) -> None:
    found = evaluate(streets.guesser(), streets, ('depth',), EvaluationProtocol(), indices=[1])
    assert found.images == 1
    assert found.ranking['depth'] == [ImageScore(1, 'street 1', pytest.approx(-0.2, abs=1e-5))]


def test_a_task_without_ground_truth_has_no_figures(streets: Streets) -> None:
    tasks = ('segmentation', 'depth')
    found = evaluate(streets.guesser(), streets, tasks, EvaluationProtocol(CAMVID), indices=[2])
    assert set(found.figures) == set(found.ranking) == {'segmentation'}


def test_the_report_tells_absent_from_zero(streets: Streets) -> None:
    found = evaluate(
        streets.guesser(), streets, ('segmentation', 'depth'), EvaluationProtocol(CAMVID)
    )
    lines = text_report('guesser on streets', found.images, found.figures).splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line.startswith('  ')}
    assert rows['fence'][1:] == ['absent', 'absent', '0.00']
    iou = found.figures['segmentation']['classes']['road']['iou']
    assert rows['road'][1] == f'{100 * iou:.2f}'
    assert 'mean of images' in '\n'.join(lines)
    assert lines[0] == 'guesser on streets: 3 images'


def test_the_origin_of_the_truth_is_told(streets: Streets) -> None:
    protocol = EvaluationProtocol(CAMVID, origins={'segmentation': 'human', 'depth': 'distilled'})
    found = evaluate(streets.guesser(), streets, ('segmentation', 'depth'), protocol)
    text = text_report('guesser on streets', found.images, found.figures)
    assert 'segmentation (camvid11, truth: human)' in text
    assert 'no median scaling, truth: distilled)' in text


def test_the_json_has_all_figures_and_null_for_what_does_not_exist(streets: Streets) -> None:
    found = evaluate(
        streets.guesser(), streets, ('segmentation', 'depth'), EvaluationProtocol(CAMVID)
    )
    content = json.loads(json_report({'model': 'guesser'}, found), parse_constant=pytest.fail)
    assert content['model'] == 'guesser'
    assert content['figures']['segmentation']['classes']['fence']['iou'] is None
    assert content['figures']['depth']['range'] == [1e-3, 80.0]
    assert [row['name'] for row in content['ranking']['depth']] == ['street 0', 'street 1']


@pytest.mark.parametrize(
    ('count', 'expected'),
    [
        (1, {'best': 0}),
        (2, {'best': 0, 'worst': 1}),
        (3, {'best': 0, 'median': 1, 'worst': 2}),
        (10, {'best': 0, 'median': 4, 'worst': 9}),
    ],
)
def test_the_sheet_shows_best_median_and_worst(count: int, expected: dict[str, int]) -> None:
    scores = [ImageScore(index, str(index), -index) for index in range(count)]
    assert {rank: score.index for rank, score in chosen(scores)} == expected


@pytest.mark.parametrize('ignored', [200, 255])
def test_the_sheet_paints_mistakes_and_nothing_else_red(streets: Streets, ignored: int) -> None:
    sample = streets.samples[0]
    labels = sample.segmentation.copy()
    labels[:10, :10] = 5
    truth = sample.segmentation.copy()
    truth[:5, :5] = ignored
    look = Look(replace(CAMVID, ignore_id=ignored), (0.5, 80.0))
    picture = MEASURES['segmentation'].mistakes(sample.image, labels, truth, look)
    red = (picture == (230, 40, 40)).all(axis=-1)
    expected = np.zeros_like(red)
    expected[:10, :10] = True
    expected[:5, :5] = False
    np.testing.assert_array_equal(red, expected)


def test_pictures_of_errors_are_dark_where_right_and_black_where_unknown() -> None:
    truth = np.full((4, 4), 2.0, np.float32)
    truth[0, 0] = np.nan
    depth = np.full((4, 4), 2.0, np.float32)
    depth[3, 3] = 9.0
    rgb = np.zeros((4, 4, 3), np.uint8)
    look = Look(None, (0.5, 80.0))
    picture = MEASURES['depth'].mistakes(rgb, depth, truth, look).sum(axis=-1)
    assert picture[0, 0] == 0
    assert picture[3, 3] > 500
    assert picture[1, 1] < 60
    normals = np.zeros((4, 4, 3), np.float32)
    normals[..., 2] = 1
    wrong = normals.copy()
    wrong[2, 2] = (1, 0, 0)
    picture = MEASURES['normals'].mistakes(rgb, wrong, normals, look).sum(axis=-1)
    assert picture[2, 2] > 500
    assert picture[0, 0] < 60


def test_the_sheet_has_a_line_for_each_image_and_task(streets: Streets) -> None:
    guesser = streets.guesser()
    look = Look(CAMVID, (0.5, 80.0))
    found = evaluate(guesser, streets, ('segmentation', 'depth'), EvaluationProtocol(CAMVID))
    both = picture_sheet(found, guesser, streets, look, 'guesser on streets')
    assert both.dtype == np.uint8 and both.shape[2] == 3
    one = replace(found, ranking={'depth': found.ranking['depth']})
    depth = picture_sheet(one, guesser, streets, look, 'guesser on streets')
    other = replace(found, ranking={'segmentation': found.ranking['segmentation']})
    segmentation = picture_sheet(other, guesser, streets, look, 'guesser on streets')
    assert both.shape[0] == depth.shape[0] + segmentation.shape[0]
    assert isinstance(other, Evaluation)


# The command


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with made-up weights that predicts camvid11 and depth."""
    torch = pytest.importorskip('torch')
    from hydranet_ros.model.bundle import Bundle, BundleMetadata, LabelSlice, save_bundle
    from hydranet_ros.model.network import HydraNet

    torch.manual_seed(0)
    tasks = {'segmentation': 11, 'depth': 1}
    metadata = BundleMetadata('made_up', tasks, (LabelSlice(CAMVID),), canonical_focal=100.0)
    path = tmp_path_factory.mktemp('model') / 'made_up.safetensors'
    save_bundle(path, Bundle.from_network(metadata, HydraNet(tasks)), 'float32')
    return path


def test_the_command_prints_and_writes_what_it_found(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_streets(tmp_path / 'streets', 3, depth_from=1)
    command = ['evaluate', str(model), str(dataset), '--split', 'all', '--device', 'cpu']
    files = ['--json', str(tmp_path / 'out' / 'e.json'), '--sheet', str(tmp_path / 'e.png')]
    assert main([*command, *files]) == 0
    printed = capsys.readouterr().out
    content = json.loads((tmp_path / 'out' / 'e.json').read_text())
    assert printed.startswith('made_up on streets/all: 3 images')
    assert content['figures']['depth']['images'] == 2
    assert content['figures']['segmentation']['truth'] == 'human'
    assert content['device'] == 'cpu' and len(content['model_sha256']) == 64
    assert cv2.imread(str(tmp_path / 'e.png')).shape[0] > 500

    from hydranet_ros.runtime.predictor import Predictor

    predictor = Predictor(model, device='cpu')
    samples = load_dataset(dataset, 'all')
    matrix = ConfusionMatrix(11)
    for index in range(3):
        sample = samples.load(index)
        matrix.update(predictor.predict(sample.image, sample.fx).labels, sample.segmentation)
    assert content['figures']['segmentation']['mean_iou'] == pytest.approx(matrix.mean_iou())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--tasks', 'normals'], 'normals cannot be measured: made_up predicts'),
        (['--split', 'none'], "has no split 'none'"),
        (['--limit', '0'], '--limit must be at least 1'),
        (['--crop', 'nyud'], 'nyud crop is defined for images of 640x480'),
        (['--label-set', 'kitti6'], "no label set 'kitti6'"),
        (['--depth-range', '5', '1'], 'is invalid: give 0 < minimum < maximum'),
        (['--sheet', 'sheet.txt'], 'sheet.txt must end in .png or .jpg'),
        (['data'], "'data' is not NAME=VALUE"),
    ],
)
def test_faults_are_told_in_a_sentence(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    dataset = write_streets(tmp_path / 'streets', 1)
    variables = [each for each in arguments if each == 'data']
    options = [each for each in arguments if each != 'data']
    command = ['evaluate', str(model), str(dataset), *variables, '--split', 'all', *options]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count('\n') == 1


def test_labels_of_another_set_are_not_compared(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_streets(tmp_path / 'streets', 1)
    text = dataset.read_text().replace('camvid11', 'cityscapes19')
    dataset.write_text(text)
    command = ['evaluate', str(model), str(dataset), '--split', 'all', '--device', 'cpu']
    assert main(command) == 0
    assert 'segmentation' not in capsys.readouterr().out
    assert main([*command, '--tasks', 'segmentation']) == 1
    assert 'is labelled in cityscapes19, which made_up does not predict' in capsys.readouterr().err
