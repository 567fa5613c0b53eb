# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures show the right colours."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from hydranet_ros.model.labels import load_label_set
from hydranet_ros.pictures.render import (
    colorize_depth,
    colorize_labels,
    colorize_normals,
    depth_legend,
    legend,
    overlay,
)

CAMVID = load_label_set('camvid11')


@given(st.integers(0, 255), st.integers(0, 255))
def test_labels_take_their_own_colour(first, second):
    labels = np.array([[first, second, first]], np.uint8)
    expected = CAMVID.palette()[labels]
    assert np.array_equal(colorize_labels(labels, CAMVID), expected)


def test_overlay_mixes_and_leaves_unlabeled_pixels_alone():
    rgb = np.full((2, 2, 3), 100, np.uint8)
    labels = np.array([[0, 255], [3, 11]], np.uint8)
    mixed = overlay(rgb, labels, CAMVID, opacity=0.5)
    assert mixed[0, 0].tolist() == [114, 114, 114]
    assert mixed[0, 1].tolist() == mixed[1, 1].tolist() == [100, 100, 100]
    assert np.array_equal(overlay(rgb, labels, CAMVID, 0.0), rgb)


def test_depth_colours_are_fixed_monotonic_and_black_where_invalid():
    depth = np.array([[0.5, 1.0, 80.0, 500.0, np.nan, 0.0, -1.0, np.inf]], np.float32)
    colors = colorize_depth(depth, 1.0, 80.0)
    assert np.array_equal(colors[0, 0], colors[0, 1])
    assert np.array_equal(colors[0, 2], colors[0, 3])
    assert not np.array_equal(colors[0, 1], colors[0, 2])
    assert not colors[0, 4:].any()
    assert colors[0, 1, 0] > colors[0, 1, 2]
    alone = colorize_depth(depth[:, 1:2], 1.0, 80.0)
    assert np.array_equal(alone[0, 0], colors[0, 1])


def test_normals_span_the_colours():
    normals = np.array([[[1.0, -1.0, 0.0]]], np.float32)
    assert colorize_normals(normals)[0, 0].tolist() == [255, 0, 128]


@pytest.mark.parametrize('name', ['kitti6', 'nyud40'])
def test_legend_shows_every_colour(name):
    labels = load_label_set(name)
    picture = legend(labels, width=500)
    assert picture.shape[1] == 500
    shown = {tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}
    assert {tuple(color) for color in labels.colors.tolist()} <= shown


def test_legend_of_some_classes():
    picture = legend(CAMVID, classes=[3])
    shown = {tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}
    assert tuple(CAMVID.colors[3].tolist()) in shown
    assert tuple(CAMVID.colors[8].tolist()) not in shown


def test_depth_legend_has_the_ends_of_the_colour_map():
    picture = depth_legend(0.5, 50.0, width=300)
    ends = colorize_depth(np.array([[0.5, 50.0]], np.float32), 0.5, 50.0)[0]
    assert np.array_equal(picture[10, 8], ends[0])
    assert np.array_equal(picture[10, 291], ends[1])
