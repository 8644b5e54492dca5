"""Picking without a window: what clicks become, what is seen of them, and what cannot be done."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from etam_ros.config import TrackerConfig
from etam_ros.errors import SourceError
from etam_ros.media.frame_source import FrameSource
from etam_ros.media.label_png import read_mask_values
from etam_ros.offline.picking.session import PickSession
from etam_ros.offline.prompts_file import TimedPrompt, read_prompts
from etam_ros.offline.prompts_output import write_prompts
from etam_ros.offline.track_output import TrackOutput
from etam_ros.offline.track_run import TrackRun
from etam_ros.records import BACKGROUND, Frame, Prompt
from etam_ros.tracking import Tracker, open_stages

sys.path.insert(0, str(Path(__file__).parents[2] / "tracking"))
from fake_stages import SIZE, FailingStages, FakeStages, square

LEFT, RIGHT, NOWHERE = (12, 12), (44, 44), (60, 4)


class Frames(FrameSource):
    """Pictures that are told apart by their brightness; a live source has ever more of them."""

    def __init__(self, count: int = 5, *, live: bool = False, broken_from: int = 99) -> None:
        super().__init__("frames", 30.0, None if live else count, live=live)
        self._count, self._broken_from, self.taken = count, broken_from, 0

    def _read(self):
        for number in range(self._count):
            if number == self._broken_from:
                raise SourceError(f"frame {number} is broken")
            self.taken += 1
            value = self.taken if self.live else number
            yield Frame(np.full((SIZE, SIZE, 3), value, np.uint8), 1 + number * 33_000_000)


class Picking(PickSession):
    """On stages whose mask is a square around the click."""

    def __init__(self, source=None, given=(), *, most: int = 16) -> None:
        self.stages = FakeStages()
        tracker = Tracker(self.stages, TrackerConfig(max_objects=most))
        super().__init__(source or Frames(), tracker, given)

    def click(self, point, *more, **named):
        start = (min(point) // 4) - 2
        self.stages.mask_for = lambda frame, row: square(start, start + 4)
        super().click(point, *more, **named)

    @property
    def said(self) -> list[tuple]:
        return [
            (item.frame, item.prompt.object_id, list(item.prompt.points),
             list(item.prompt.point_labels), item.prompt.box, item.prompt.keep_previous)
            for item in self.prompts
        ]  # fmt: skip

    @property
    def ids(self) -> list[int]:
        return [] if self.result is None else [state.object_id for state in self.result.objects]


def test_a_click_refines_the_object_it_hits_and_starts_one_elsewhere():
    picking = Picking()
    picking.click(LEFT)
    picking.click((14, 14))
    picking.click(RIGHT)
    picking.click((48, 46), BACKGROUND)
    assert picking.said == [
        (0, 1, [LEFT], [1], None, False),
        (0, 1, [(14, 14)], [1], None, True),
        (0, 2, [RIGHT], [1], None, False),
        (0, 2, [(48, 46)], [0], None, True),
    ]
    assert picking.ids == [1, 2]
    assert picking.message == ""
    assert len(picking.here) == 4


def test_with_same_it_is_for_the_last_object_wherever_it_is():
    picking = Picking()
    picking.click(LEFT)
    picking.click(RIGHT, same=True)
    picking.box((1, 2, 30, 40), same=True)
    picking.box((1, 2, 30, 40))
    assert [said[1:] for said in picking.said] == [
        (1, [LEFT], [1], None, False),
        (1, [RIGHT], [1], None, True),
        (1, [], [], (1, 2, 30, 40), True),
        (2, [], [], (1, 2, 30, 40), False),
    ]


def test_the_last_object_is_one_that_there_is_on_this_frame():
    given = TimedPrompt("--box 1,1,9,9@1", 1, None, Prompt(9, box=(1, 1, 9, 9)))
    picking = Picking(given=[given])
    picking.click(RIGHT, same=True)
    assert "no object yet" in picking.message
    picking.click(LEFT)
    picking.forward()
    picking.click(RIGHT, same=True)
    assert [said[1] for said in picking.said] == [9, 1, 1]


def test_undo_goes_back_step_by_step():
    picking, seen = Picking(), []
    for point in (LEFT, RIGHT, (14, 14)):
        seen.append((picking.said, picking.ids))
        picking.click(point)
    picking.remove(RIGHT)
    assert picking.ids == [1]
    assert [said[1] for said in picking.said] == [1, 1]
    assert "object 2 removed" in picking.message
    picking.undo()
    assert picking.ids == [1, 2]
    assert picking.message == "the object is back"
    while seen:
        picking.undo()
        assert "undone: click for object" in picking.message
        assert (picking.said, picking.ids) == seen.pop()
    picking.click(RIGHT)
    assert picking.said[0][1] == 1  # ids begin anew


def test_frames_are_encoded_from_the_first_prompt_on():
    picking = Picking()
    for _ in range(3):
        picking.forward()
    assert picking.result is None
    assert picking.stages.calls["encode_image"] == 0
    assert picking.where == "frame 3/4, 0 objects"
    picking.click(LEFT)
    assert picking.said == [(3, 1, [LEFT], [1], None, False)]
    picking.forward()
    assert picking.where == "frame 4/4, 1 object"
    assert picking.stages.calls["encode_image"] == 2
    assert picking.here == []
    picking.click((14, 14))
    assert picking.said[1][-1] is False  # the first on this frame
    picking.back()
    assert (picking.index, picking.frame.image.max(), picking.ids) == (3, 3, [1])
    picking.back()
    assert (picking.index, picking.ids) == (2, [])


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda it: it.click(NOWHERE, BACKGROUND), "click on one first"),
        (lambda it: it.click(NOWHERE, same=True), "no object yet"),
        (lambda it: it.box((1, 2, 3, 4), same=True), "no object yet"),
        (lambda it: it.click((SIZE, 4)), "lies outside the frame"),
        (lambda it: it.box((4, 2, 4, 9)), "has no area"),
        (lambda it: it.remove(NOWHERE), "no object is there"),
        (lambda it: it.undo(), "nothing to undo"),
        (lambda it: it.back(), "first frame"),
        (lambda it: it.ready(), "nothing to track yet"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(act, words):
    picking = Picking()
    act(picking)
    assert picking.failed
    assert words in picking.message
    assert picking.prompts == ()
    picking.click(LEFT)
    assert (picking.failed, picking.message, picking.ids) == (False, "", [1])
    assert picking.ready()


def test_more_objects_than_there_may_be_are_refused():
    picking = Picking(most=1)
    picking.click(LEFT)
    picking.click(RIGHT)
    assert "max_objects is 1" in picking.message
    assert picking.ids == [1]


def test_the_last_frame_and_a_broken_one_stay_where_they_are():
    picking = Picking(Frames(2))
    picking.forward()
    picking.forward()
    assert picking.message == "this is the last frame"
    assert picking.index == 1
    picking = Picking(Frames(9, broken_from=1))
    picking.click(LEFT)
    picking.forward()
    assert picking.message == "frame 1 is broken"
    assert (picking.index, picking.ids) == (0, [1])


def test_a_stage_that_fails_does_not_end_it():
    stages = FailingStages(FakeStages())
    picking = PickSession(Frames(), Tracker(stages))
    stages.failing = "decode_mask"
    picking.click(LEFT)
    assert picking.message == "decode_mask failed"
    stages.failing = ""
    picking.click(LEFT)
    assert len(picking.prompts) == 1


def test_prompts_that_were_given_are_there_and_wrong_ones_are_left_out():
    given = [
        TimedPrompt("--click 12,12", 0, None, Prompt(0, points=[LEFT], point_labels=[1])),
        TimedPrompt("--click 99,12", 0, None, Prompt(7, points=[(99, 12)], point_labels=[1])),
        TimedPrompt("--box 1,1,9,9@1", 1, None, Prompt(0, "cup", box=(1, 1, 9, 9))),
    ]
    picking = Picking(given=given)
    assert picking.ids == [1]
    assert "left out --click 99,12: click (99, 12) lies outside" in picking.message
    picking.click(NOWHERE)
    assert picking.said[-1][1] == 3  # 2 is the box's, on the next frame
    picking.forward()
    assert sorted(picking.ids) == [1, 2, 3]


def test_a_live_picture_goes_on_until_something_is_prompted():
    source = Frames(99, live=True)
    picking = Picking(source)
    for _ in range(4):
        picking.refresh()
    assert (picking.where, picking.frame.image.max()) == ("frames, live", 5)
    picking.click(LEFT)
    picking.refresh()
    picking.forward()
    assert "press Enter" in picking.message
    assert (picking.where, picking.frame.image.max()) == ("frame 0, 1 object", 5)
    following = picking.frames_to_track()
    picking.undo()
    picking.refresh()
    assert (picking.waiting, picking.frame.image.max()) == (True, 6)
    assert [frame.image.max() for frame in islice(following, 3)] == [5, 7, 8]


def test_a_source_without_frames_is_refused():
    with pytest.raises(SourceError, match="no frames"):
        Picking(Frames(0))


class Noise(FrameSource):
    """Six pictures in which a square moves."""

    def __init__(self) -> None:
        super().__init__("noise", 30.0, 6)

    def _read(self):
        noise = np.random.default_rng(0).integers(0, 80, (90, 120, 3), np.uint8)
        for index in range(6):
            picture = noise.copy()
            picture[30:60, 20 + 8 * index : 50 + 8 * index] = (40, 200, 230)
            yield Frame(picture, index * 33_000_000)


def test_what_was_seen_is_what_a_run_with_these_prompts_writes(tmp_path):
    with open_stages(model="tiny_test", weights="random:0", backend="torch") as stages:
        picking = PickSession(Noise(), Tracker(stages))
        picking.forward()
        picking.click((52, 45))
        picking.click((60, 50), same=True)
        picking.forward()
        picking.box((5, 60, 50, 88))
        picking.forward()
        picking.click((100, 10))
        picking.click((99, 12), BACKGROUND)
        picking.undo()
        picking.back()
        picking.click((60, 40), BACKGROUND, same=True)
        picking.back()
        picking.back()
        seen = []
        while not picking.failed:
            blank = np.zeros((90, 120), np.uint16)
            seen.append(blank if picking.result is None else picking.result.label_image)
            picking.forward()
        path = write_prompts(tmp_path / "out", picking.prompts)
        run, tracker = TrackRun(read_prompts(path)), Tracker(stages)
        with TrackOutput(tmp_path / "out", fps=30, overlay=None, save_logits=False) as output:
            run.run(Noise(), tracker, output)
    assert run.unprompted(6) == ""
    assert len(seen) == 6
    assert [len(np.unique(picture)) for picture in seen][:3] != [1, 1, 1]
    for index, picture in enumerate(seen):
        written = read_mask_values(tmp_path / "out" / "masks" / f"{index:05d}.png")
        np.testing.assert_array_equal(written, picture)
    assert path.exists()  # the run has left it
