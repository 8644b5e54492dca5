"""Robust depths of masks, against exact ones of rendered scenes."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from etam_ros.config import DepthConfig
from etam_ros.depth import UNKNOWN_DEPTH, inner_half, object_depth, surface_depth
from etam_ros.tracking.masks.measures import NOWHERE, measure
from etam_ros.tracking.masks.pieces import pieces_of

sys.path.insert(0, str(Path(__file__).parent))
from rendered import Box, Pinhole, Sphere, Wall, render

CAMERA = Pinhole()
CONFIG = DepthConfig()
TOLERANCE = 0.02  # of the distance


def depth_of(depth, mask, config=CONFIG):
    """The estimate of an image-sized mask, by a depth picture of any size."""
    piece = pieces_of(measure(mask), NOWHERE).main
    metres = depth.astype(np.float32)
    return piece, object_depth(
        lambda rows, columns: metres[np.ix_(rows, columns)],
        depth.shape, piece.box, piece.mask, mask.shape, config,
    )  # fmt: skip


def error_m(depth, mask, thing):
    """From the point that is estimated to where the ray through the centroid meets the thing."""
    piece, estimate = depth_of(depth, mask)
    ray = CAMERA.ray(*piece.centroid)
    exact = thing.depth(ray)
    assert np.isfinite(exact)
    return np.linalg.norm(ray * estimate.depth_m - ray * exact), np.linalg.norm(ray * exact)


def noisy(depth, rng, share=0.01, holes=0.2):
    """As a sensor sees it: noise that grows with the depth, holes, and pixels between surfaces."""
    seen = depth * (1 + share * rng.standard_normal(depth.shape))
    blurred = cv2.blur(np.where(np.isfinite(depth), depth, 10.0), (3, 3))
    edge = np.abs(blurred - depth) > 0.02 * depth
    seen[edge] = blurred[edge]
    seen[rng.random(depth.shape) < holes] = 0.0
    for _ in range(20):
        y, x = (int(rng.integers(size)) for size in depth.shape)
        seen[y : y + 12, x : x + 12] = np.nan
    return seen


def scenes():
    """Things of one to six per cent of the picture, 1 to 5 m away, before a wall."""
    rng = np.random.default_rng(14)
    for number in range(24):
        z = rng.uniform(1, 5)
        share = rng.uniform(0.012, 0.06 if number % 2 else 0.025)  # a large ball is a deep one
        area_m2 = share * CAMERA.hw[0] * CAMERA.hw[1] * (z / CAMERA.focal_px) ** 2
        x, y = rng.uniform(-0.35, 0.35) * z, rng.uniform(-0.15, 0.15) * z
        if number % 2:
            width = math.sqrt(area_m2 * rng.uniform(0.5, 2))
            size = (width, area_m2 / width, 0.3 * width)
            thing = Box((x, y, z), size, rng.uniform(-0.5, 0.5))
        else:
            thing = Sphere((x, y, z), math.sqrt(area_m2 / math.pi))
        yield thing, Wall(z + rng.uniform(0.5, 3), rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2))


@pytest.mark.parametrize(("thing", "wall"), list(scenes()))
def test_positions_are_exact_to_two_per_cent_of_the_distance(thing, wall):
    rng = np.random.default_rng(0)
    depth, ids = render(CAMERA, thing, wall)
    mask = ids == 0
    assert mask.mean() > 0.01
    error, distance = error_m(depth, mask, thing)
    assert error < TOLERANCE * distance
    sensed = noisy(depth, rng)
    for wrong in (mask, cv2.dilate(mask.view(np.uint8), np.ones((13, 13))) > 0,
                  np.roll(mask, (3, -4), (0, 1))):  # fmt: skip
        error, distance = error_m(sensed, wrong, thing)
        assert error < TOLERANCE * distance


@pytest.mark.parametrize("size", [(180, 320), (720, 1280), (240, 427), (90, 160)])
def test_depth_of_another_size_gives_the_same(size):
    thing = Box((0.3, 0.1, 2.5), (0.7, 0.4, 0.2), 0.3)
    things = (thing, Wall(4.0, 0.1))
    _, ids = render(CAMERA, *things)
    scaled = Pinhole(size, CAMERA.focal_px * size[1] / CAMERA.hw[1])
    depth, _ = render(scaled, *things)
    error, distance = error_m(depth, ids == 0, thing)
    assert error < 0.01 * distance


@pytest.mark.parametrize(("side", "near"), [(0.35, True), (0.5, True), (0.8, True), (0.1, False)])
def test_of_two_surfaces_the_nearer_one_counts_if_it_is_large_enough(side, near):
    """A mask of 100 pixels square, some columns of which lie on what is before the rest."""
    rng = np.random.default_rng(1)
    depths = np.full((100, 100), 3.4)
    depths[:, 50 - round(50 * side) : 50 + round(50 * side)] = 3.0
    depths = noisy(depths, rng, 0.003)
    estimate = surface_depth(depths.astype(np.float32), np.ones((100, 100), bool), CONFIG)
    assert estimate.depth_m == pytest.approx(3.0 if near else 3.4, rel=0.01)
    assert estimate.spread_m < 0.05


def test_something_thin_before_the_object_does_not_count():
    person, pole = Box((0, 0, 3), (0.8, 1.2, 0.3)), Box((0.1, 0, 2), (0.05, 3, 0.05))
    depth, ids = render(CAMERA, person, pole, Wall(5))
    both = (ids == 0) | ((ids == 1) & (cv2.blur((ids == 0).astype(float), (61, 1)) > 0.3))
    error, distance = error_m(depth, both, person)
    assert error < TOLERANCE * distance


def test_what_the_occluder_leaves_is_where_it_is():
    person, board = Box((0, 0, 3), (0.8, 1.2, 0.3)), Box((0.2, 0, 2), (0.3, 3, 0.05))
    depth, ids = render(CAMERA, person, board, Wall(5))
    error, distance = error_m(noisy(depth, np.random.default_rng(2)), ids == 0, person)
    assert error < TOLERANCE * distance


def test_the_spread_is_that_of_the_depths():
    rng = np.random.default_rng(3)
    depths = rng.normal(2.0, 0.01, (80, 80)).astype(np.float32)
    estimate = surface_depth(depths, np.ones((80, 80), bool), CONFIG)
    assert estimate.depth_m == pytest.approx(2.0, abs=0.002)
    assert estimate.spread_m == pytest.approx(0.01, rel=0.1)


def test_a_surface_that_goes_far_into_the_distance_is_one():
    wall = Wall(2.0, 0.6)
    depth, ids = render(CAMERA, wall)
    mask = np.zeros_like(ids, bool)
    mask[80:280, 100:540] = True
    error, distance = error_m(depth, mask, wall)
    assert error < TOLERANCE * distance


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, 60.0, 0.01])
def test_without_valid_depth_nothing_is_known(value):
    depths = np.full((20, 30), value, np.float32)
    assert surface_depth(depths, np.ones((20, 30), bool), CONFIG) is UNKNOWN_DEPTH


@pytest.mark.parametrize(("valid", "known"), [(0.15, False), (0.3, True)])
def test_a_share_of_valid_pixels_is_needed(valid, known):
    depths = np.zeros((100, 100), np.float32)
    depths[np.random.default_rng(0).random((100, 100)) < valid] = 1.5
    estimate = surface_depth(depths, np.ones((100, 100), bool), CONFIG)
    assert math.isfinite(estimate.depth_m) == known


shapes = st.tuples(st.integers(1, 20), st.integers(1, 20))
values = st.one_of(st.floats(0, 60, width=32), st.sampled_from([math.nan, math.inf, -1.0, 1e-38]))


@given(data=st.data(), shape=shapes)
def test_whatever_the_depths_are_an_estimate_lies_among_them_or_is_unknown(data, shape):
    depths = data.draw(arrays(np.float32, shape, elements=values))
    mask = data.draw(arrays(bool, shape))
    estimate = surface_depth(depths, mask, CONFIG)
    if math.isnan(estimate.depth_m):
        assert estimate is UNKNOWN_DEPTH
        return
    seen = depths[mask & (depths >= CONFIG.min_m) & (depths <= CONFIG.max_m)]
    assert seen.min() <= estimate.depth_m <= seen.max()
    assert 0 <= estimate.spread_m <= 1.5 * (seen.max() - seen.min())


@given(arrays(bool, shapes))
def test_half_of_a_mask_is_left_however_thin_it_is(mask):
    inner = inner_half(mask) if mask.any() else mask
    assert not (inner & ~mask).any()
    assert inner.sum() >= mask.sum() / 2


@given(
    box=st.tuples(st.integers(0, 60), st.integers(0, 30), st.integers(1, 60), st.integers(1, 30)),
    depth_hw=st.tuples(st.integers(1, 99), st.integers(1, 99)),
)
def test_places_in_a_picture_of_any_size_lie_inside_it(box, depth_hw):
    x0, y0, width, height = box
    asked = []

    def read(rows, columns):
        asked.append((rows, columns))
        return np.full((len(rows), len(columns)), 2.0, np.float32)

    mask = np.ones((height, width), bool)
    whole = (x0, y0, x0 + width, y0 + height)
    estimate = object_depth(read, depth_hw, whole, mask, (60, 120), CONFIG)
    rows, columns = asked[-1]
    assert estimate.depth_m == 2.0
    assert 0 <= rows.min() <= rows.max() < depth_hw[0]
    assert 0 <= columns.min() <= columns.max() < depth_hw[1]
