"""Everything in a picture: in a drawn one whose things are known, and by masks of the test's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from etam_ros import Prompt, Segmenter, open_segmenter
from etam_ros.config import EverythingConfig
from etam_ros.errors import PromptError
from etam_ros.segmenting import FoundMask

sys.path.insert(0, str(Path(__file__).parents[1]))
from quarter_stages import FakeStages, QuarterStages

sys.path.insert(0, str(Path(__file__).parents[2] / "tracking"))
from fake_stages import square

HW = (90, 120)
THINGS = {"card": (15, 12, 55, 42), "door": (70, 20, 105, 80), "mat": (12, 58, 52, 80)}
COLOURS = {"card": (220, 40, 40), "door": (40, 60, 220), "mat": (240, 220, 60)}
CLICK = Prompt(points=[(35, 25)], point_labels=[1])
ALL = EverythingConfig(points_per_side=5, min_iou_score=1e-6, min_stability=1e-6)


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    picture = np.random.RandomState(0).randint(90, 110, (*HW, 3)).astype(np.uint8)
    for name, (x0, y0, x1, y1) in THINGS.items():
        picture[y0:y1, x0:x1] = COLOURS[name]
    return picture


def opened(model: str) -> Segmenter:
    weights = "" if model == "etam_nano" else "random:0"
    return open_segmenter(model, weights=weights, backend="torch", device="cpu")


def said_of(found: list[FoundMask]) -> list[tuple[int, float, bytes]]:
    return [(each.area, each.iou_score, each.mask.tobytes()) for each in found]


def iou(mask: NDArray[np.bool_], box: tuple[int, int, int, int]) -> float:
    x0, y0, x1, y1 = box
    thing = np.zeros(mask.shape, np.bool_)
    thing[y0:y1, x0:x1] = True
    return float((mask & thing).sum() / (mask | thing).sum())


def test_the_model_that_ships_finds_each_thing_of_a_drawn_picture_once(
    image: NDArray[np.uint8],
) -> None:
    told = []
    with opened("etam_nano") as segmenter:
        segmenter.set_image(image)
        grid = EverythingConfig(points_per_side=4)
        found = segmenter.everything(grid, on_progress=lambda *counts: told.append(counts))
        again = segmenter.everything(grid)
    for name, box in THINGS.items():
        overlaps = [iou(each.mask, box) for each in found]
        assert max(overlaps) > 0.85, name
        assert sum(each > 0.75 for each in overlaps) == 1, name
    areas = [each.area for each in found]
    assert areas == sorted(areas, reverse=True)
    assert told == [(answered, 16) for answered in range(1, 17)]
    assert said_of(again) == said_of(found)


@pytest.fixture(params=["tiny_test", "tiny_hiera_test", "tiny_pictures_test"])
def segmenter(request: pytest.FixtureRequest, image: NDArray[np.uint8]) -> Iterator[Segmenter]:
    with opened(request.param) as found:
        found.set_image(image)
        yield found


def test_how_many_clicks_are_answered_at_a_time_changes_nothing(segmenter: Segmenter) -> None:
    one_by_one = said_of(segmenter.everything(ALL))
    assert one_by_one
    segmenter._model.clicks_at_once = 7
    assert said_of(segmenter.everything(ALL)) == one_by_one


@pytest.mark.parametrize("layers", [0, 1])
def test_afterwards_the_whole_picture_is_there_for_clicks(
    segmenter: Segmenter, layers: int
) -> None:
    (before,) = segmenter.segment([CLICK])
    segmenter.everything(EverythingConfig(points_per_side=2, crop_layers=layers))
    (after,) = segmenter.segment([CLICK])
    assert np.array_equal(after.mask_logits, before.mask_logits)
    assert np.array_equal(after.mask, before.mask)


def test_a_picture_comes_first() -> None:
    with (
        opened("tiny_test") as segmenter,
        pytest.raises(PromptError, match="call set_image first"),
    ):
        segmenter.everything()


def quarters(stages: FakeStages, **config: float) -> list[FoundMask]:
    segmenter = Segmenter(stages)
    segmenter.set_image(np.zeros((64, 64, 3), np.uint8))
    return segmenter.everything(EverythingConfig(points_per_side=4, **config))


def test_clicks_share_one_encoding_and_each_thing_is_listed_once() -> None:
    stages = QuarterStages()
    found = quarters(stages)
    assert stages.calls["encode_image"] == 1
    assert len(stages.decoded) == 16
    corners = {each.measured().box for each in found}
    assert corners == {(0, 0, 32, 32), (32, 0, 64, 32), (0, 32, 32, 64), (32, 32, 64, 64)}
    assert [each.iou_score for each in found] == pytest.approx([0.9] * 4)


def test_what_is_not_sure_or_not_stable_or_not_there_is_left_out() -> None:
    assert len(quarters(QuarterStages(), min_iou_score=0.89)) == 4
    assert quarters(QuarterStages(), min_iou_score=0.95) == []
    wavering = FakeStages()
    wavering.iou_scores = torch.full((4,), 0.9)
    wavering.mask_for = lambda frame, row: square(4, 12, inside=0.5)
    assert quarters(wavering) == []
    assert quarters(wavering, min_stability=1e-6) == []  # of no area where it is raised
    absent = QuarterStages()
    absent.score_for = lambda frame, row: -3.0
    assert quarters(absent) == []


def test_each_part_is_encoded_once_and_what_it_cuts_is_left_out() -> None:
    stages = QuarterStages()
    found = quarters(stages, crop_layers=1)
    assert stages.calls["encode_image"] == 1 + 4 + 1  # set_image, the parts, and all of it again
    # Quarters of parts reach their edges, where the picture goes on, but for those in its corners.
    boxes = {each.measured().box for each in found}
    assert {(0, 0, 32, 32), (0, 0, 20, 20), (44, 44, 64, 64)} <= boxes
    assert len(found) == 8


def test_things_of_few_pixels_are_none() -> None:
    assert len(quarters(QuarterStages(), min_area_px=1000)) == 4
    assert quarters(QuarterStages(), min_area_px=1100) == []
