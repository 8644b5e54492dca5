"""Everything in a video: what is started, when, and what is merged, on a fake set of stages."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from etam_ros import Frame, Tracker, TrackerConfig
from etam_ros.config import EverythingConfig, MaskletsConfig
from etam_ros.segmenting import FoundMask, Segmenter
from etam_ros.segmenting.masklets import Changes, Masklets

sys.path.insert(0, str(Path(__file__).parent))
from quarter_stages import SIZE, FakeStages, QuarterStages

GRID = EverythingConfig(points_per_side=4)
FRAME = Frame(np.zeros((SIZE, SIZE, 3), np.uint8))


class Given(Segmenter):
    """Finds what it is given."""

    def __init__(self, masks: list[FoundMask]) -> None:
        super().__init__(FakeStages())
        self.masks = masks

    def everything(self, *_: object, **__: object) -> list[FoundMask]:
        return self.masks


class Video:
    """Frames through a tracker and what looks after its objects."""

    def __init__(self, most: int = 16, largest_id: int = 255, **config: float) -> None:
        self.stages = QuarterStages()
        self.tracker = Tracker(self.stages, TrackerConfig(max_objects=most))
        self.masklets = Masklets(self.tracker, MaskletsConfig(**config), GRID, largest_id)
        self.quarter_of: dict[int, int] = {}
        self.stages.rows = lambda: [
            self.quarter_of.get(each, 1) for each in self.tracker.object_ids
        ]
        self.frames = 0

    def next(self) -> Changes:
        self.tracker.step(FRAME)
        changes = self.masklets.look(self.frames, FRAME)
        for prompt in changes.started:
            ys, xs = np.nonzero(prompt.mask)
            place = 1 + (xs.mean() > SIZE / 2) + 2 * (ys.mean() > SIZE / 2)
            self.quarter_of[prompt.object_id] = int(place)
        self.frames += 1
        return changes

    def started(self) -> list[int]:
        return [prompt.object_id for prompt in self.next().started]


def test_what_is_found_on_the_first_frame_is_followed() -> None:
    video = Video()
    assert video.started() == [1, 2, 3, 4]
    assert sorted(video.quarter_of.values()) == [1, 2, 3, 4]
    assert set(np.unique(video.tracker.result.label_image[4:-4:8, 4:-4:8])) == {1, 2, 3, 4}
    encoded = video.stages.calls["encode_image"]
    for _ in range(3):
        assert video.started() == []
    assert video.tracker.object_ids == (1, 2, 3, 4)
    assert video.stages.calls["encode_image"] == encoded + 3  # nothing was looked for


def test_every_so_many_frames_new_things_are_found_where_nothing_is_followed() -> None:
    video = Video(every=2)
    assert video.started() == [1, 2, 3, 4]
    assert [video.started() for _ in range(2)] == [[], []]
    video.tracker.remove(2)
    assert video.started() == []  # frame 3 is not looked at
    assert video.started() == [5]
    assert video.quarter_of[5] == video.quarter_of[2]
    assert video.tracker.object_ids == (1, 3, 4, 5)


def test_no_more_are_started_than_there_is_room_and_ids_for() -> None:
    assert Video(most=2).started() == [1, 2]
    video = Video(every=1, largest_id=5)
    assert video.started() == [1, 2, 3, 4]
    for object_id in (1, 2):
        video.tracker.remove(object_id)
    assert video.started() == [5]
    assert video.started() == []
    assert video.tracker.object_ids == (3, 4, 5)


def test_objects_that_show_the_same_for_some_frames_are_one_the_older() -> None:
    video = Video(merge_frames=3)
    video.next()
    video.stages.moved = {2: video.quarter_of[1]}  # the third is where the first is
    assert [video.next().merged for _ in range(2)] == [(), ()]
    video.stages.moved = {}
    assert video.next().merged == ()  # it was short of three frames, and counts anew
    video.stages.moved = {2: video.quarter_of[1]}
    assert [video.next().merged for _ in range(3)] == [(), (), ((3, 1),)]
    assert video.tracker.object_ids == (1, 2, 4)
    assert [state.object_id for state in video.tracker.result.objects] == [1, 2, 4]


def test_of_three_that_are_one_the_oldest_is_left() -> None:
    video = Video(merge_frames=1)
    video.next()
    video.stages.moved = {0: 1, 1: 1, 2: 1}
    assert dict(video.next().merged) == {2: 1, 3: 1}
    assert video.tracker.object_ids == (1, 4)


def test_occluded_objects_are_not_merged() -> None:
    video = Video(merge_frames=1)
    video.next()
    video.stages.score_for = lambda frame, row: -3.0
    assert video.next().merged == ()
    assert len(video.tracker.object_ids) == 4


def test_what_the_network_does_not_see_as_a_mask_is_left_out() -> None:
    video = Video()
    thin = Frame(np.zeros((SIZE * 8, SIZE * 8, 3), np.uint8))  # a pixel is an eighth of one there
    line = np.zeros(thin.hw, np.bool_)
    line[100:400, 40:42] = True
    masks = [FoundMask.of(line, 0.9, 1.0), FoundMask.of(np.ones(thin.hw, np.bool_), 0.5, 1.0)]
    masklets = replace(video.masklets, segmenter=Given(masks))
    video.tracker.step(thin)
    (started,) = masklets.look(0, thin).started
    assert started.mask.all()
    assert video.tracker.object_ids == (1,)


@pytest.mark.parametrize(("share", "ids"), [(0.6, [1, 2]), (0.7, [1])])
def test_what_is_mostly_followed_already_is_not_new(share: float, ids: list[int]) -> None:
    left, right = torch.full((16, 16), -5.0), torch.full((16, 16), -5.0)
    left[:, :11] = 5.0
    right[:, 8:] = 5.0  # five eighths of it are new
    video = Video(min_new_share=share)
    video.stages.mask_for = lambda frame, row: left if video.stages.quarter(row) % 2 else right
    assert video.started() == ids
