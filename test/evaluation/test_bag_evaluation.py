# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation of recordings: the same figures as of files, and an account of what is missing."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import re
import struct
import sys
from typing import Any
from xml.etree import ElementTree

from evaluated_bags import copy_bag, FakePredictor, FOCAL, make_bag, PERIOD, samples, stamp, TRUTHS
from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from published import published_bundle
import pytest

from hydranet_ros.bags.bag_files import BagReader, BagWriter
from hydranet_ros.bags.conversion import BagLayout
from hydranet_ros.bags.message_types import (
    camera_info_message,
    CAMERA_INFO_TYPE,
    image_message,
    IMAGE_TYPE,
)
from hydranet_ros.bags.topics import BagTopics, find_topics
from hydranet_ros.cli.main import main
from hydranet_ros.errors import HydranetError
from hydranet_ros.evaluation import plots
from hydranet_ros.evaluation.bag_evaluation import BagEvaluation, evaluate_bag
from hydranet_ros.evaluation.bag_report import REPORT_NAMES, write_report
from hydranet_ros.evaluation.frame_pictures import PictureKeeper
from hydranet_ros.evaluation.measures import EvaluationProtocol, MEASURES
from hydranet_ros.messages.stamps import replace_stamp
from hydranet_ros.model.bundle import save_bundle
from hydranet_ros.model.labels import load_label_set

COUNT = 5
PROTOCOL = EvaluationProtocol(load_label_set('kitti6'), (1e-3, 80.0))
TASKS = ('segmentation', 'depth')


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bag(tmp_path_factory.mktemp('bags') / 'street', COUNT)


def evaluate(path: Path, predictor: FakePredictor | None = None, **options: Any) -> BagEvaluation:
    return evaluate_bag(
        path, find_topics, PROTOCOL, predictor=predictor, predicted_tasks=TASKS, **options
    )


def account(evaluation: BagEvaluation) -> dict[str, tuple[int, list[int]]]:
    return {what: (t.count, t.stamps) for what, t in evaluation.frames.account.items()}


def test_figures_are_those_of_the_metrics(bag: Path) -> None:
    predictor = FakePredictor()
    summary = evaluate(bag, predictor).frames.summary()
    assert predictor.focal_lengths == [FOCAL] * COUNT
    assert (summary['images'], summary['measured'], summary['account']) == (COUNT, COUNT, {})
    for task in TASKS:
        metric: Any = MEASURES[task].make(PROTOCOL)
        for _, sample in samples(COUNT):
            found = predictor.predict(sample.image, FOCAL)
            truth = getattr(sample, task)
            metric.update(getattr(found, MEASURES[task].field), truth)
        expected = MEASURES[task].figures(metric, PROTOCOL)
        assert {key: summary['figures'][task][key] for key in expected} == expected
    assert sum(summary['depth_errors']['pixels']) == summary['figures']['depth']['pixels']


def test_recorded_predictions_give_the_same(bag: Path, tmp_path: Path) -> None:
    recorded = copy_bag(bag, tmp_path / 'recorded', predictions=True)
    by_model, by_record = evaluate(bag, FakePredictor()), evaluate(recorded)
    assert by_record.frames.summary() == by_model.frames.summary()


def test_figures_equal_those_of_files(tmp_path: Path) -> None:
    """By the commands, with a real network and calibration, through PNG in the bag."""
    torch = pytest.importorskip('torch')
    torch.set_num_threads(2)
    model = str(tmp_path / 'model.safetensors')
    bundle = published_bundle('kitti6', canonical_focal=500.0, depth_range=(0.1, 90.0))
    save_bundle(Path(model), bundle, dtype='float32')
    path = make_bag(tmp_path / 'bag', 2, BagLayout(image_format='png'))
    files = tmp_path / 'files'
    assert main(['make-bag', '--extract', str(path), str(files), '--depth-unit', '0.001']) == 0
    again = tmp_path / 'again'
    config = tmp_path / 'street.yaml'
    config.write_text(
        f'root: {files}\nsplits: {{val: {{}}}}\nintrinsics: {{fx: {FOCAL}}}\n'
        'segmentation: {label_set: kitti6}\ndepth: {units_per_metre: 1000}\n'
    )
    assert main(['make-bag', str(config), str(again)]) == 0
    options = ['--backend', 'torch', '--precision', 'float32']
    report, output = tmp_path / 'files.json', tmp_path / 'report'
    assert main(['evaluate', model, str(config), '--json', str(report), *options]) == 0
    command = ['evaluate-bag', str(again), '--model', model, '-o', str(output), *options]
    assert main(command) == 0
    expected = json.loads(report.read_text())['figures']
    found = json.loads((output / 'report.json').read_text())['figures']
    for task in TASKS:
        del expected[task]['truth'], found[task]['truth']
    assert found == expected
    assert found['depth']['images'] == 2


def test_what_is_missing_is_counted_and_named(bag: Path, tmp_path: Path) -> None:
    path = copy_bag(
        bag,
        tmp_path / 'gaps',
        predictions=True,
        leave_out={TRUTHS['depth']: [1, 2], '/depth': [3], '/image': [4]},
    )
    evaluation = evaluate(path)
    assert account(evaluation) == {
        'have no true depth': (2, [stamp(1), stamp(2)]),
        'have no predicted depth': (1, [stamp(3)]),
        'have no image with their stamp': (1, [stamp(4)]),
    }
    summary = evaluation.frames.summary()
    assert (summary['images'], summary['measured']) == (4, 5)
    assert summary['figures']['depth']['images'] == 2
    assert ['depth' in row for row in summary['frames']] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ('encodings', 'sentence'),
    [
        ({TRUTHS['segmentation']: 'rgb8'}, 'unreadable true segmentation: A result of encoding'),
        ({TRUTHS['depth']: 'mono8'}, 'unreadable true depth: Depth must be 32FC1'),
        ({'/image': 'nv99'}, "unreadable image: Images of encoding 'nv99'"),
        ({'/image': 'rgb16'}, 'unreadable image: An image of 96×64'),
    ],
)
def test_wrong_encodings_are_told_and_the_rest_is_measured(
    bag: Path, tmp_path: Path, encodings: dict[str, str], sentence: str
) -> None:
    path = copy_bag(bag, tmp_path / 'odd', predictions=True, encodings=encodings)
    evaluation = evaluate(path)
    (told,) = [t for what, t in evaluation.frames.account.items() if sentence in what]
    assert told.count == COUNT
    figures = evaluation.frames.summary()['figures']
    measured = {task for task in TASKS if TRUTHS[task] not in encodings}
    assert set(figures) == measured


def test_unusable_images_leave_nothing_to_measure(bag: Path, tmp_path: Path) -> None:
    path = copy_bag(bag, tmp_path / 'odd', encodings={'/image': 'nv99'})
    with pytest.raises(HydranetError, match=r'no frame could be measured.*5 have an unread'):
        evaluate(path, FakePredictor())


@pytest.mark.parametrize('with_model', [True, False])
def test_stamps_that_differ_a_little(bag: Path, tmp_path: Path, with_model: bool) -> None:
    """The clock of the depth camera is 3 ms late, as with most drivers."""
    path, late = tmp_path / 'late', 3_000_000
    recorded = copy_bag(bag, tmp_path / 'recorded', predictions=True)
    with BagReader(recorded) as source, BagWriter(path) as target:
        for name, topic in source.topics.items():
            target.add_topic(name, topic.type)
        for message in source.messages():
            delay = late if message.topic.startswith('/ground_truth') else 0
            data = replace_stamp(message.data, message.stamp + delay)
            target.write(message.topic, message.time + delay, data)
    predictor = FakePredictor() if with_model else None
    with pytest.raises(HydranetError, match=r'differ by 3 ms: .*, give --tolerance 0\.006\.'):
        evaluate(path, predictor)
    found = evaluate(path, predictor, tolerance=0.006).frames.summary()
    expected = evaluate(recorded, predictor).frames.summary()
    assert found['measured'] == COUNT and found['account'] == {}
    assert found['figures'] == expected['figures']


def test_a_depth_camera_is_the_truth(bag: Path, tmp_path: Path) -> None:
    """A bag as the driver of a RealSense records it, without any name of ours."""
    names = {
        '/image': '/camera/color/image_raw',
        '/camera_info': '/camera/color/camera_info',
        TRUTHS['depth']: '/camera/aligned_depth_to_color/image_raw',
    }
    path = tmp_path / 'realsense'
    with BagReader(bag) as source, BagWriter(path) as target:
        for ours, theirs in names.items():
            target.add_topic(theirs, source.topics[ours].type)
        target.add_topic('/camera/infra1/image_rect_raw', IMAGE_TYPE)
        for message in source.messages(names):
            target.write(names[message.topic], message.time, message.data)
    with BagReader(path) as opened:
        topics = find_topics(opened)
    assert topics == BagTopics(
        names['/image'], names['/camera_info'], {'depth': names[TRUTHS['depth']]}, {}
    )
    found = evaluate(path, FakePredictor()).frames.summary()['figures']
    assert found == {'depth': evaluate(bag, FakePredictor()).frames.summary()['figures']['depth']}
    files = tmp_path / 'files'
    assert main(['make-bag', '--extract', str(path), str(files)]) == 0
    assert len(list((files / 'depth').iterdir())) == COUNT


def test_an_assumed_focal_length_is_told(bag: Path, tmp_path: Path) -> None:
    path = tmp_path / 'uncalibrated'
    wanted = ('/image', TRUTHS['depth'])
    with BagReader(bag) as source, BagWriter(path) as target:
        for name in wanted:
            target.add_topic(name, source.topics[name].type)
        for message in source.messages(wanted):
            target.write(message.topic, message.time, message.data)
    predictor = FakePredictor()
    (fault,) = evaluate(path, predictor).faults
    assert fault.startswith(f'The focal length of {COUNT} images was assumed')
    assert predictor.focal_lengths == [None] * COUNT


def test_truth_of_another_size_is_told(bag: Path, tmp_path: Path) -> None:
    path = tmp_path / 'bag'
    with BagReader(bag) as source, BagWriter(path) as target:
        for name, topic in source.topics.items():
            target.add_topic(name, topic.type)
        for message in source.messages():
            if message.topic == TRUTHS['depth']:
                small = image_message(np.ones((8, 8), np.float32), message.time, encoding='32FC1')
                target.write_message(message.topic, message.time, small)
            else:
                target.write(message.topic, message.time, message.data)
    evaluation = evaluate(path, FakePredictor())
    (told,) = evaluation.frames.account
    assert told.startswith('could not be measured: The prediction has the shape (64, 96)')
    assert evaluation.frames.summary()['figures'].keys() == {'segmentation'}


def records(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield kind and place of the records of an MCAP file."""
    position = 8
    while position < len(data) - 8:
        kind, length = struct.unpack_from('<BQ', data, position)
        yield kind, position
        position += 9 + length


class TestDamagedBags:
    """An MCAP without index or end is read as far as it goes."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        # Images of 18 KB in chunks of 1 MB: four chunks, so that a cut leaves some.
        folder = make_bag(tmp_path / 'long', 50)
        (folder / 'metadata.yaml').unlink()
        return folder / 'long.mcap'

    @pytest.mark.parametrize('share', [0.5, 0.97])
    def test_cut_off(self, file: Path, share: float) -> None:
        data = file.read_bytes()
        file.write_bytes(data[: int(share * len(data))])
        for path in (file, file.parent):
            evaluation = evaluate(path, FakePredictor())
            (fault,) = evaluation.faults
            assert 'is truncated' in fault
            assert 10 < len(evaluation.frames.rows) < 50

    def test_without_index(self, file: Path) -> None:
        """As a recorder leaves it that was killed between two writes."""
        data = file.read_bytes()
        end = next(start for kind, start in records(data) if kind == 15)
        file.write_bytes(data[:end])
        evaluation = evaluate(file.parent, FakePredictor())
        assert len(evaluation.frames.rows) == 50
        assert ' 0 bytes after them were not.' in evaluation.faults[0]

    def test_damaged_in_the_middle(self, file: Path) -> None:
        # Where the second chunk's first message begins: behind the head of the record (9 bytes)
        # and the fields of the chunk (40).
        data = bytearray(file.read_bytes())
        chunks = [start for kind, start in records(bytes(data)) if kind == 6]
        position = chunks[1] + 9 + 40
        data[slice(position, position + 32)] = b'\xff' * 32
        file.write_bytes(bytes(data))
        evaluation = evaluate(file, FakePredictor())
        assert 'Reading ended early' in evaluation.faults[0]
        assert len(evaluation.frames.rows) >= 10

    def test_nothing_left(self, file: Path) -> None:
        file.write_bytes(file.read_bytes()[:40])
        with pytest.raises(HydranetError, match='cannot be read'):
            evaluate(file, FakePredictor())


def test_several_bags_by_processes(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bags = [copy_bag(bag, tmp_path / name / 'bag', predictions=True) for name in 'ab']
    output = tmp_path / 'out'
    command = ['evaluate-bag', *map(str, bags), '-o', str(output), '--label-set', 'kitti6']
    assert main([*command, '--jobs', '2']) == 0
    reports = [json.loads((output / n / 'report.json').read_text()) for n in ('bag', 'bag~2')]
    assert reports[0]['figures'] == reports[1]['figures']
    assert capsys.readouterr().out.count('mIoU') == 2
    bags.append(tmp_path / 'none')
    assert main(['evaluate-bag', *map(str, bags), '-o', str(output)]) == 1
    assert 'none could not be evaluated: There is no bag' in capsys.readouterr().err


def test_faults_are_named(bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, sentence in (
        ([str(bag)], 'nothing to compare'),
        ([str(bag), '--image', '/front'], 'has no images on /front'),
        ([str(bag), '--model', str(tmp_path / 'none.safetensors')], 'none.safetensors'),
    ):
        assert main(['evaluate-bag', *arguments, '-o', str(tmp_path / 'o')]) == 1
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / 'o').exists()


def test_calibration_may_follow_its_image(bag: Path, tmp_path: Path) -> None:
    path = tmp_path / 'bag'
    with BagReader(bag) as source, BagWriter(path) as target:
        for name, topic in source.topics.items():
            target.add_topic(name, topic.type)
        for index, message in enumerate(source.messages()):
            if message.topic != '/camera_info':
                target.write(message.topic, message.time, message.data)
            if message.topic == '/image':
                info = camera_info_message(96, 64, 50.0 + index, message.time)
                target.write_message('/camera_info', message.time + 1, info)
    predictor = FakePredictor()
    evaluate(path, predictor)
    assert len(set(predictor.focal_lengths)) == COUNT
    assert None not in predictor.focal_lengths


def test_without_stamps_the_time_of_recording_matches(bag: Path, tmp_path: Path) -> None:
    path = tmp_path / 'bag'
    with BagReader(bag) as source, BagWriter(path) as target:
        for name, topic in source.topics.items():
            target.add_topic(name, topic.type)
        for index, message in enumerate(source.messages()):
            data = message.data
            if source.topics[message.topic].type in (IMAGE_TYPE, CAMERA_INFO_TYPE):
                data = replace_stamp(data, 0)
            target.write(message.topic, message.time + 1000 * index, data)
    evaluation = evaluate(path, FakePredictor())
    assert len(evaluation.frames.rows) == COUNT
    assert 'messages have no stamp' in evaluation.faults[0]
    stamped = evaluate(bag, FakePredictor())
    assert evaluation.frames.summary()['figures'] == stamped.frames.summary()['figures']


def test_report_is_one_file(bag: Path, tmp_path: Path) -> None:
    evaluation = evaluate(bag, FakePredictor())
    about = {'bag': '/data/<street> & more', 'model': 'fake'}
    paths = write_report(tmp_path, about, [evaluation.frames, evaluation.frames], ['One <fault>.'])
    assert [path.name for path in paths] == list(REPORT_NAMES)
    html = paths[2].read_text()
    assert '<fault>' not in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert re.findall(r'class="tile"><b>([\d.]+)', html)[0] == str(COUNT)
    assert html.count('alt="legend"') == 2  # classes, metres
    plots = re.findall(r'<svg.*?</svg>', html, re.DOTALL)
    assert len(plots) == 6
    for plot in plots:
        ElementTree.fromstring(plot)
    ranks = re.findall(r'<figcaption>(\w+):', html)
    assert ranks == ['best', 'median', 'worst'] * 2
    text = paths[1].read_text()
    assert '2 passes with 5 to 5 measured frames' in text
    assert 'One <fault>.' in text
    content = json.loads(paths[0].read_text())
    assert [row['stamp'] for row in content['frames']] == [stamp(i) for i in range(COUNT)]


def test_without_the_libraries_for_html_the_rest_is_written(
    bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = str(copy_bag(bag, tmp_path / 'recorded', predictions=True))
    command = ['evaluate-bag', recorded, '--label-set', 'kitti6', '-o', str(tmp_path / 'out')]
    assert main(command) == 0
    assert f'Report: {tmp_path / "out" / "report.html"}\n' in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, 'jinja2', None)
    monkeypatch.delitem(sys.modules, 'hydranet_ros.evaluation.html_report')
    assert main(command) == 0
    assert 'report.md (for report.html: pip install matplotlib jinja2)' in capsys.readouterr().out
    assert {path.name for path in (tmp_path / 'out').iterdir()} == set(REPORT_NAMES[:2])


@settings(deadline=None, max_examples=10)
@given(st.lists(st.floats(-1e9, 1e9) | st.just(float('nan')) | st.none(), max_size=20))
def test_plots_are_well_formed(values: list[float | None]) -> None:
    y = [float('nan') if value is None else value for value in values]
    shares = [None if value is None else abs(value) % 1 for value in values]
    names = [f'<${index}$>' for index in range(len(values))]
    counts = np.arange(len(values) * (len(values) + 1)).reshape(len(values), len(values) + 1)
    curve = [(float(x), abs(value)) for x, value in enumerate(values) if value]
    curve = [point for point in curve if np.isfinite(point[1])]
    for plot in (
        plots.line_plot('a & b', list(range(len(y))), y, 's', 'm'),
        plots.curves_plot('a & b', {'<one>': curve, 'none': []}, 's'),
        plots.histogram_plot('a', [0.0, 1.0, 2.0], [0, len(y)], 'x'),
        plots.bar_plot('a', names, shares, np.full((len(names), 3), 200, np.uint8)),
        plots.confusion_plot('a', names, counts),
    ):
        assert 'nan' not in plot
        assert ElementTree.fromstring(plot).tag.endswith('svg')


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_few_pictures_are_kept(qualities: list[float]) -> None:
    keeper, drawn = PictureKeeper(), 0
    for index, quality in enumerate(qualities):
        keeper.offer(index, quality, lambda: b'')
        drawn = max(drawn, len(keeper._spread))
    chosen = keeper.chosen(float(np.median(qualities)))
    assert drawn <= 32
    assert chosen['best'].quality == max(qualities)
    shown = {picture.quality for picture in chosen.values()}
    assert min(qualities) in shown


def test_period_is_not_needed(bag: Path) -> None:
    """Stamps, not times of recording, join what belongs together."""
    with BagReader(bag) as reader:
        assert {m.time for m in reader.messages()} == {stamp(0) + i * PERIOD for i in range(COUNT)}
