# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Depth from motion, on a rendered drive between two walls, whose depth is known."""

from __future__ import annotations

from functools import cache
import json
from pathlib import Path

import cv2
from distillation_data import write_yaml
import numpy as np
from numpy.typing import NDArray
import pytest

from hydranet_ros.data.image_files import DepthFormat, read_depth
from hydranet_ros.errors import HydranetError
from hydranet_ros.training.distillation.distill import Distillation, load_config
from hydranet_ros.training.distillation.teachers import agreeing
from hydranet_ros.training.distillation.teachers.agreeing import AgreeingTeachers
from hydranet_ros.training.distillation.teachers.motion import MotionTeacher, Settings

FX, HEIGHT, ADVANCE = 300.0, 1.6, 0.9
ROWS, COLUMNS = 192, 480
HEADING = (250.0, 70.0)
WALLS = 7.0
FRAMES = 16


def geometry() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return depth, and the place on the surface: along X or Y, of each pixel."""
    v, u = np.mgrid[:ROWS, :COLUMNS].astype(np.float64)
    x, y = (u - HEADING[0]) / FX, (v - HEADING[1]) / FX
    road = np.where(y > 0, HEIGHT / np.maximum(y, 1e-9), np.inf)
    wall = WALLS / np.maximum(np.abs(x), 1e-9)
    depth = np.minimum(np.minimum(road, wall), 200.0)
    return depth, np.where(road < wall, x * depth, np.sign(x) * 50 + y * depth), road < wall


def texture() -> NDArray[np.uint8]:
    """Return a pattern, 20 pixels a metre: soft noise, and marks along two lines of the road."""
    rng = np.random.default_rng(0)
    noise = sum(
        cv2.GaussianBlur(rng.standard_normal((2400, 2400)), (0, 0), sigma) * sigma * 60
        for sigma in (1.5, 4.0, 12.0)
    )
    pattern = np.clip(110 + noise, 0, 200)
    # 0 m to the side is column 1200.
    pattern[:, 1100:1300] = 90 + (pattern[:, 1100:1300] - 110) / 3
    for metres in (-1.8, 1.8):
        column = 1200 + round(20 * metres)
        for start in range(0, 2400, 240):
            pattern[start : start + 60, column - 2 : column + 2] = 255
    return pattern.astype(np.uint8)


@cache
def drive(stands: bool = False) -> list[NDArray[np.uint8]]:
    """Render a drive by a camera that shakes."""
    depth, side, _ = geometry()
    pattern = texture()
    rng = np.random.default_rng(1)
    frames = []
    for number in range(FRAMES):
        along = depth + (0 if stands else number * ADVANCE)
        columns = (1200 + 20 * side) % 2399
        seen = cv2.remap(
            pattern,
            columns.astype(np.float32),
            (20 * along % 2399).astype(np.float32),
            cv2.INTER_LINEAR,
        )
        seen[depth >= 200] = 180
        # Turned by up to a third of a degree about any axis.
        camera = np.array([[FX, 0, HEADING[0]], [0, FX, HEADING[1]], [0, 0, 1]])
        turn = cv2.Rodrigues(rng.uniform(-0.006, 0.006, 3))[0]
        seen = cv2.warpPerspective(
            seen,
            camera @ turn @ np.linalg.inv(camera),
            (COLUMNS, ROWS),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        frames.append(cv2.cvtColor(seen, cv2.COLOR_GRAY2RGB))
    return frames


class Video:
    """Frames in memory."""

    def __init__(self, frames: list[NDArray[np.uint8]], fx: float | None = FX) -> None:
        self._frames, self._fx = frames, fx

    def __len__(self) -> int:
        """Return their number."""
        return len(self._frames)

    def name(self, index: int) -> str:
        """Return what to call one."""
        return f'frame {index}'

    def rgb(self, index: int) -> NDArray[np.uint8]:
        """Return one."""
        return self._frames[index]

    def fx(self, index: int) -> float | None:
        """Return its focal length."""
        return self._fx

    def digest(self) -> str:
        """Return what stands for all of them."""
        return f'{len(self)} frames'


@cache
def opinion(index: int) -> NDArray[np.float32]:
    """Return the depth of a frame by a teacher that is shared, as it knows the drive."""
    teacher, video = taught()
    depth = teacher.annotate_frame(video, index).depth
    assert depth is not None
    return depth


@cache
def taught() -> tuple[MotionTeacher, Video]:
    """Return a teacher and its drive."""
    return MotionTeacher(Settings(HEIGHT)), Video(drive())


@pytest.mark.parametrize('index', [0, 11, FRAMES - 1])
def test_depth_of_what_stands_still_is_right(index: int) -> None:
    """Metres by the height of the camera alone, wherever in the drive, though the camera turns."""
    found = opinion(index)
    truth, _, road = geometry()
    assert found.shape == truth.shape and found.dtype == np.float32
    wall = ~road & (truth < 60)
    known = np.isfinite(found) & wall
    assert known.sum() > 0.4 * wall.sum()
    ratio = found[known] / truth[known]
    assert np.median(ratio) == pytest.approx(1, abs=0.06)
    assert np.quantile(np.abs(ratio / np.median(ratio) - 1), 0.8) < 0.12


def test_metres_go_with_the_height_of_the_camera() -> None:
    """A camera twice as high sees the same frames of a world twice as large."""
    low = opinion(11)
    high = MotionTeacher(Settings(2 * HEIGHT)).annotate_frame(Video(drive()), 11).depth
    assert high is not None
    known = np.isfinite(low) & np.isfinite(high)
    assert known.mean() > 0.2
    assert np.median(high[known] / low[known]) == pytest.approx(2, abs=0.1)


def test_a_camera_that_stands_is_refused() -> None:
    with pytest.raises(HydranetError, match=r'which way|how fast'):
        MotionTeacher(Settings(HEIGHT)).annotate_frame(Video(drive(stands=True)), 11)


def test_a_focal_length_is_needed() -> None:
    with pytest.raises(HydranetError, match=r'frame \d+ has no focal length.*intrinsics'):
        MotionTeacher(Settings(HEIGHT)).annotate_frame(Video(drive(), fx=None), 11)


def test_frames_of_two_sizes_are_no_drive() -> None:
    frames = [*drive()]
    frames[7] = frames[7][:-2]
    with pytest.raises(HydranetError, match='frame 7 differs in size'):
        MotionTeacher(Settings(HEIGHT)).annotate_frame(Video(frames), 11)


def test_a_frame_without_texture_has_no_depth() -> None:
    frames = [*drive()]
    frames[11] = np.full_like(frames[11], 120)
    depth = MotionTeacher(Settings(HEIGHT)).annotate_frame(Video(frames), 11).depth
    assert depth is not None and np.isnan(depth).all()


def test_it_can_be_one_of_several_that_agree() -> None:
    members = ({'kind': 'motion', 'height': HEIGHT}, {'kind': 'motion', 'height': HEIGHT})
    both = AgreeingTeachers(agreeing.Settings(members, 0.1))
    depth = both.annotate_frame(Video(drive()), 11).depth
    np.testing.assert_allclose(depth, opinion(11), rtol=1e-5)
    assert both.inputs(Video(drive())) == {'frames': f'{FRAMES} frames'}


def test_single_images_are_refused() -> None:
    with pytest.raises(HydranetError, match='all frames of a drive'):
        MotionTeacher(Settings(HEIGHT)).annotate(drive()[0], FX)


@pytest.mark.parametrize('wrong', [{'height': 0.0}, {'height': 1.5, 'baselines': (0, 4)}])
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(HydranetError, match='above zero'):
        MotionTeacher(Settings(**wrong))


def test_a_drive_is_distilled_frame_by_frame(tmp_path: Path) -> None:
    """The files hold what the teacher says of the frame among the others."""
    (tmp_path / 'data' / 'image').mkdir(parents=True)
    for number, frame in enumerate(drive()):
        assert cv2.imwrite(str(tmp_path / 'data' / 'image' / f'{number:03d}.png'), frame)
    dataset = write_yaml(
        tmp_path / 'drive.yaml',
        {
            'name': 'drive',
            'root': str(tmp_path / 'data'),
            'splits': {'all': {}},
            'intrinsics': {'fx': FX},
        },
    )
    teacher = write_yaml(tmp_path / 'mover.yaml', {'kind': 'motion', 'height': HEIGHT})
    config = write_yaml(
        tmp_path / 'distil.yaml',
        {
            'dataset': str(dataset),
            'split': 'all',
            'teacher': str(teacher),
            'depth': {'output': str(tmp_path / 'depth'), 'units_per_metre': 256},
        },
    )
    assert Distillation(*load_config(config)).run(11, FRAMES) == {'written': 1}
    expected = opinion(11).copy()
    provenance = json.loads((tmp_path / 'depth' / 'provenance' / '011.json').read_text())
    assert provenance['advance'] == pytest.approx(ADVANCE, rel=0.06)
    assert provenance['heading'] == pytest.approx(HEADING, abs=8)
    written = read_depth(tmp_path / 'depth' / '011.png', DepthFormat(256.0, (0,)))
    expected[~(expected < 80)] = np.nan
    np.testing.assert_allclose(written, expected, atol=0.003)
    # Any frame of the drive may change what is told of each.
    assert Distillation(*load_config(config)).run(11, FRAMES) == {'kept': 1}
    assert cv2.imwrite(str(tmp_path / 'data' / 'image' / '002.png'), drive()[3])
    assert Distillation(*load_config(config)).run(11, FRAMES) == {'written': 1}
