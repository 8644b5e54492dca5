"""Prompts that are given as options: what they say, of which object, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etam_ros.errors import PromptError
from etam_ros.offline.prompt_options import FORMS, prompts_from_options
from etam_ros.offline.prompts_file import TimedPrompt
from etam_ros.records import Prompt


def said(clicks=(), backgrounds=(), boxes=(), known=()) -> list[tuple]:
    """Frame, object, points, labels and box of each prompt."""
    return [
        (item.frame, item.prompt.object_id, list(item.prompt.points),
         list(item.prompt.point_labels), item.prompt.box)
        for item in prompts_from_options(clicks, backgrounds, boxes, known)
    ]  # fmt: skip


def test_each_click_and_box_starts_an_object() -> None:
    assert said(clicks=["320,240", "12.5,9@7"], boxes=["40,60,200,220"]) == [
        (0, 1, [(320.0, 240.0)], [1], None),
        (0, 3, [], [], (40.0, 60.0, 200.0, 220.0)),
        (7, 2, [(12.5, 9.0)], [1], None),
    ]


def test_what_is_said_of_one_object_on_one_frame_is_one_prompt() -> None:
    assert said(clicks=["4:1,2", "4:3,4@9"], backgrounds=["4:5,6"], boxes=["4:0,0,8,8"]) == [
        (0, 4, [(1.0, 2.0), (5.0, 6.0)], [1, 0], (0.0, 0.0, 8.0, 8.0)),
        (9, 4, [(3.0, 4.0)], [1], None),
    ]


def test_a_background_click_without_an_id_is_for_the_only_object() -> None:
    assert said(clicks=["1,2"], backgrounds=["5,6@3"]) == [
        (0, 1, [(1.0, 2.0)], [1], None),
        (3, 1, [(5.0, 6.0)], [0], None),
    ]
    with pytest.raises(PromptError, match=r"one of the 2 objects: .* --background ID:5,6@3"):
        said(clicks=["1,2", "3,4"], backgrounds=["5,6@3"])
    with pytest.raises(PromptError, match="no object to correct: add one with --click"):
        said(backgrounds=["5,6"])


def test_new_objects_get_the_lowest_ids_that_nobody_names() -> None:
    known = [TimedPrompt("prompts.json entry 0", 0, None, Prompt(1, box=(0, 0, 2, 2)))]
    found = said(clicks=["1,2", "3:4,4", "5,6"], known=known)
    assert [object_id for _, object_id, *_ in found] == [2, 3, 4]
    assert said(backgrounds=["5,6"], known=known)[0][1] == 1


def test_more_objects_than_there_are_ids_are_counted_on() -> None:
    assert [object_id for _, object_id, *_ in said(clicks=["1,2"] * 300)] == [*range(1, 301)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clicks": ["320"]}, r"expected \[ID:\]x,y\[@frame\]"),
        ({"clicks": ["1,2,3"]}, "--click is '1,2,3'"),
        ({"clicks": ["1,nan"]}, "expected"),
        ({"clicks": ["1,1e300"]}, "expected"),
        ({"clicks": ["0:1,2"]}, "expected an ID from 1 to 255"),
        ({"clicks": ["256:1,2"]}, "expected an ID from 1 to 255"),
        ({"clicks": ["1,2@-3"]}, "expected"),
        ({"clicks": ["1, 2@x"]}, "expected"),
        ({"backgrounds": ["a,b"]}, "--background is 'a,b'"),
        ({"boxes": ["1,2,3"]}, r"expected \[ID:\]x0,y0,x1,y1\[@frame\]"),
        ({"boxes": ["5,2,3,9"]}, "expected x0 < x1 and y0 < y1"),
        ({"boxes": ["2:0,0,1,1", "2:0,0,2,2"]}, "a second box for object 2 on frame 0"),
    ],
)
def test_what_is_malformed_is_refused_in_words(options, words) -> None:
    with pytest.raises(PromptError, match=words):
        said(**options)


@pytest.mark.parametrize("option", FORMS)
def test_a_picture_has_no_frames_to_name(option) -> None:
    kind = {"--click": "clicks", "--background": "backgrounds", "--box": "boxes"}[option]
    given_options = {"clicks": (), "backgrounds": (), "boxes": (), kind: ("x",)}
    for of_video, form in ((True, f"{FORMS[option]}[@frame]"), (False, FORMS[option])):
        with pytest.raises(PromptError, match=re.escape(f"expected {form} in pixels")):
            prompts_from_options(**given_options, of_video=of_video)


@given(st.text(max_size=30), st.sampled_from(["clicks", "backgrounds", "boxes"]))
def test_any_text_is_read_or_refused(text: str, kind: str) -> None:
    try:
        prompts = prompts_from_options(
            **{"clicks": [], "backgrounds": [], "boxes": [], kind: [text]}
        )
    except PromptError:
        return
    assert len(prompts) == 1
    assert len(FORMS) == 3
