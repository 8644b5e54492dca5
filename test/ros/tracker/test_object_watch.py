"""What becomes of objects, from one result to the next."""

import math

import numpy as np
import pytest
import torch
from etam_ros.msg import TrackEvent
from std_msgs.msg import Header

from etam_ros.config import EventsConfig
from etam_ros.records import FrameResult, ObjectState
from etam_ros.ros.messages import LastSeen
from etam_ros.ros.tracker.object_watch import KINDS_IN_WORDS, ObjectWatch, in_words

NOWHERE = (math.nan, math.nan)
DARK = np.zeros((48, 64, 3), np.uint8)
BOX, CENTROID = (10, 20, 14, 24), (11.5, 21.5)


def visible(object_id, label="", box=BOX, centroid=CENTROID, iou=0.9):
    return state(object_id, label, False, 0.9, 16, box, centroid, 0, 2.0, iou)


def occluded(object_id, label="", unseen_ns=0, logit=-2.0):
    return state(object_id, label, True, 0.12, 0, (0, 0, 0, 0), NOWHERE, unseen_ns, logit)


def state(
    object_id, label, is_occluded, visibility, area, box, centroid, unseen_ns, logit, iou=0.1
):
    mask = np.ones((box[3] - box[1], box[2] - box[0]), bool)
    return ObjectState(
        object_id, label, is_occluded, visibility, iou, area, box, centroid, mask, box, mask,
        unseen_ns, logit, torch.zeros(4, 4), torch.zeros(2),
    )  # fmt: skip


class Watched:
    """A watch, and what it tells of each result."""

    def __init__(self):
        self.watch = ObjectWatch()
        self.frames = 0

    def __call__(
        self,
        *states,
        cause="",
        prompted=0,
        forgotten=(),
        same_frame=False,
        coming=(),
        picture=DARK,
    ):
        self.frames += not same_frame
        result = FrameResult(
            self.frames, 0, "", (48, 64), states, np.zeros((48, 64), np.uint16),
            forgotten_ids=forgotten,
        )  # fmt: skip
        header = Header(frame_id=str(self.frames))
        followed = {*coming, *(each.object_id for each in states)}
        self.watch.look(
            result,
            header,
            followed=followed,
            catching_up=coming,
            picture=None if same_frame else picture,
            cause=cause,
            prompted=prompted,
        )
        events = self.watch.take_events()
        assert all(event.header == header for event in events)
        return [(event.kind, event.object_id, event.label, event.reason) for event in events]


@pytest.fixture
def told():
    return Watched()


def test_an_object_is_added_refined_and_removed_because_of_what_was_asked(told):
    assert told(visible(1, "cup"), cause="a click", prompted=1) == [
        (TrackEvent.ADDED, 1, "cup", "a click")
    ]
    assert told(visible(1, "mug"), visible(2), cause="a box", prompted=2) == [
        (TrackEvent.ADDED, 2, "", "a box")
    ]
    assert told(visible(1, "mug"), visible(2), cause="another click", prompted=1) == [
        (TrackEvent.REFINED, 1, "mug", "another click")
    ]
    assert told(visible(2), cause="somebody") == [(TrackEvent.REMOVED, 1, "mug", "somebody")]


def test_all_objects_of_a_reset_are_removed(told):
    told(visible(4), visible(2), cause="a click", prompted=2)
    assert [event[:2] for event in told(cause="a reset")] == [
        (TrackEvent.REMOVED, 4), (TrackEvent.REMOVED, 2),
    ]  # fmt: skip
    assert [event[:2] for event in told(visible(2), cause="a click", prompted=2)] == [
        (TrackEvent.ADDED, 2)
    ]


def test_an_object_that_hides_and_comes_back_is_told_once_each_time(told):
    told(visible(1), cause="a click", prompted=1)
    assert told(visible(1)) == []
    assert told(occluded(1)) == [(TrackEvent.OCCLUDED, 1, "", "visibility is 0.12")]
    assert told(occluded(1, unseen_ns=1_240_000_000)) == []
    assert told(visible(1)) == [
        (TrackEvent.SEEN_AGAIN, 1, "", "visibility is 0.90, it was hidden for 1.2 s")
    ]
    assert told(occluded(1, logit=1.0)) == [(TrackEvent.OCCLUDED, 1, "", "no pixel of it is left")]
    assert told(visible(1)) == [(TrackEvent.SEEN_AGAIN, 1, "", "visibility is 0.90")]


def test_a_prompt_that_finds_nothing_adds_an_object_that_is_occluded(told):
    added = told(occluded(1), cause="a click", prompted=1)
    assert [event[0] for event in added] == [TrackEvent.ADDED, TrackEvent.OCCLUDED]
    found = told(visible(1), cause="a box", prompted=1)
    assert [event[0] for event in found] == [TrackEvent.REFINED, TrackEvent.SEEN_AGAIN]


def test_an_object_that_was_not_seen_for_too_long_is_forgotten(told):
    told(visible(1), visible(2, "cup"), cause="a click", prompted=2)
    told(visible(1), occluded(2, "cup"))
    assert told(visible(1), forgotten=(2,)) == [
        (TrackEvent.FORGOTTEN, 2, "cup", "not seen for longer than tracker.forget_after_s")
    ]
    assert told(visible(1)) == []


def test_where_an_object_was_last_stays_known_while_it_is_hidden(told):
    told(visible(1), occluded(2))
    assert told.watch.last_seen[1] == LastSeen(BOX, CENTROID)
    assert told.watch.last_seen[2].box == (0, 0, 0, 0)
    assert math.isnan(told.watch.last_seen[2].centroid[0])
    before = told.watch.last_seen
    told(occluded(1), visible(2, box=(1, 2, 3, 4), centroid=(1.5, 2.5)))
    assert told.watch.last_seen[1] == LastSeen(BOX, CENTROID)
    assert told.watch.last_seen[2] == LastSeen((1, 2, 3, 4), (1.5, 2.5))
    assert before[2].box == (0, 0, 0, 0), "a frame on its way out keeps what it was given"
    told(occluded(1))
    assert set(told.watch.last_seen) == {1}


def doubts(told, *ious):
    """On which of these frames object 1 becomes doubtful."""
    kinds = [[event[0] for event in told(visible(1, iou=iou))] for iou in ious]
    return [index for index, each in enumerate(kinds) if TrackEvent.DOUBTFUL in each]


def test_an_object_is_doubtful_once_its_estimate_stays_low_and_not_again_before_it_was_high(told):
    told(visible(1), cause="a click", prompted=1)
    assert doubts(told, 0.35, 0.3, 0.45, 0.35, 0.3) == []
    assert told(visible(1, iou=0.31)) == [
        (TrackEvent.DOUBTFUL, 1, "", "the model's own IoU estimate is 0.31")
    ]
    assert doubts(told, *[0.2, 0.45, 0.59] * 5, *[0.2] * 5) == [], "it is doubtful all the while"
    assert doubts(told, 0.61, 0.3, 0.3, 0.3, 0.3) == [3]


def test_a_steady_object_never_flickers(told):
    told(visible(1), cause="a click", prompted=1)
    rng = np.random.default_rng(0)
    assert doubts(told, *rng.normal(0.52, 0.05, 500).clip(0.401, 1.0)) == []
    assert len(doubts(told, *rng.normal(0.4, 0.05, 500).clip(0.0, 0.599))) == 1


def test_prompts_and_hiding_end_a_doubt_and_prompts_are_no_frames(told):
    told(visible(1), cause="a click", prompted=1)
    assert doubts(told, 0.3, 0.3) == []
    low = visible(1, iou=0.3)
    for _ in range(3):
        added = told(low, visible(2), cause="a click", prompted=2, same_frame=True)
        assert TrackEvent.DOUBTFUL not in [event[0] for event in added]
        told(low, cause="a removal", same_frame=True)
    told(low, cause="a click", prompted=1, same_frame=True)
    assert doubts(told, 0.3, 0.3) == []
    told(occluded(1))
    assert doubts(told, 0.3, 0.3, 0.3, 0.3) == [2]


def test_doubts_can_be_switched_off(told):
    told.watch.config = EventsConfig(
        doubtful_below=0.0, colours_differ_above=1.0, lookalike_below=0.0
    )
    told(visible(1), cause="a click", prompted=1)
    assert doubts(told, *[0.0] * 10) == []


def test_every_event_is_one_line_of_the_log():
    for kind, word in KINDS_IN_WORDS.items():
        event = TrackEvent(object_id=3, kind=kind, reason="a click at (1, 2)")
        assert in_words(event) == f"object 3 {word}: a click at (1, 2)"
        event.label = "cup"
        assert in_words(event) == f"object 3 (cup) {word}: a click at (1, 2)"


def test_an_object_of_a_past_frame_is_told_of_at_once_and_not_again_when_it_arrives(told):
    told()
    past = Header(frame_id="past")
    last_seen = told.watch.look_back(visible(1, "cup"), past, cause="late click")
    assert last_seen == told.watch.last_seen[1] == LastSeen(BOX, CENTROID)
    (event,) = told.watch.take_events()
    assert (event.kind, event.header, event.reason) == (TrackEvent.ADDED, past, "late click")
    assert told(coming=[1]) == []
    assert told(occluded(1, "cup")) == [(TrackEvent.OCCLUDED, 1, "cup", "visibility is 0.12")]
    told.watch.look_back(visible(1, "cup"), past, cause="late click")
    (event,) = told.watch.take_events()
    assert event.kind == TrackEvent.REFINED
    assert [kind for kind, *_ in told(visible(1, "cup"))] == [TrackEvent.SEEN_AGAIN]


def test_an_object_that_is_removed_on_its_way_is_told_of(told):
    told()
    told.watch.look_back(visible(2), Header(), cause="late click")
    told.watch.take_events()
    assert told(cause="asked for by ~/reset") == [
        (TrackEvent.REMOVED, 2, "", "asked for by ~/reset")
    ]


LEFT, RIGHT, FAR = (4, 4, 20, 20), (24, 4, 40, 20), (44, 30, 60, 46)
RED, BLUE = (200, 30, 30), (30, 30, 200)


def painted(**boxes):
    """A dark picture with boxes of noisy colours, by the names of the colours."""
    picture = np.random.default_rng(len(boxes)).integers(0, 20, (48, 64, 3))
    for name, places in boxes.items():
        for x0, y0, x1, y1 in places:
            picture[y0:y1, x0:x1] += {"red": RED, "blue": BLUE}[name]
    return picture.astype(np.uint8)


def square(object_id, box, label=""):
    return state(object_id, label, False, 0.9, 256, box, CENTROID, 0, 2.0, 0.9)


def test_an_object_whose_colours_are_no_longer_those_that_were_prompted_is_doubtful(told):
    seen = [square(1, LEFT)]
    told(*seen, cause="a click", prompted=1, same_frame=True)
    red, blue = painted(red=[LEFT]), painted(blue=[LEFT])
    assert [told(*seen, picture=red) for _ in range(5)] == [[]] * 5
    assert [told(*seen, picture=blue) for _ in range(2)] == [[]] * 2
    ((kind, _, _, reason),) = told(*seen, picture=blue)
    assert kind == TrackEvent.DOUBTFUL
    assert reason == "its colours differ by 1.00 from those at its last prompt"
    assert [told(*seen, picture=blue) for _ in range(5)] == [[]] * 5, "that is known"
    told(*seen, cause="a click", prompted=1, same_frame=True)
    assert [told(*seen, picture=blue) for _ in range(5)] == [[]] * 5, "somebody said so"


def test_objects_that_look_the_same_and_come_near_are_doubtful(told):
    apart, near = [square(1, LEFT, "cup"), square(2, FAR)], [square(1, LEFT), square(2, RIGHT)]
    for each in (1, 2):
        told(*apart, cause="a click", prompted=each, same_frame=True)
    far_picture, near_picture = painted(red=[LEFT, FAR]), painted(red=[LEFT, RIGHT])
    assert [told(*apart, picture=far_picture) for _ in range(5)] == [[]] * 5
    found = [told(*near, picture=near_picture) for _ in range(6)]
    assert [len(each) for each in found] == [0, 0, 2, 0, 0, 0]
    assert found[2][1] == (TrackEvent.DOUBTFUL, 2, "", "object 1 looks the same and is near")
    other = painted(red=[LEFT], blue=[FAR])
    told.watch.look_back(square(2, FAR), Header(), cause="a click")
    told.watch.take_events()
    assert [told(*apart, picture=other) for _ in range(5)] == [[]] * 5
    assert told(*apart, picture=other) == []


def test_what_an_object_on_its_way_from_a_past_frame_looks_like_now_says_nothing(told):
    seen, red, blue = [square(1, LEFT)], painted(red=[LEFT]), painted(blue=[LEFT])
    told(*seen, cause="a click", prompted=1, same_frame=True)
    told(*seen, picture=red)
    told.watch.look_back(*seen, Header(), cause="late click")
    told.watch.take_events()
    assert [told(*seen, picture=red, coming=[1]) for _ in range(5)] == [[]] * 5
    assert [told(*seen, picture=blue) for _ in range(5)] == [[]] * 5


def test_whatever_a_label_is_an_event_is_one_short_line():
    event = TrackEvent(object_id=3, kind=TrackEvent.ADDED, label="a\n[FATAL]\x1b" + "y" * 10**6)
    assert in_words(event).isprintable()
    assert len(in_words(event)) < 200
