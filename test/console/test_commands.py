"""What the page asks for, as text that anybody may have written."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etam_ros.console.commands import Note, Order, Pointed, parse
from etam_ros.errors import PromptError


def said(**fields):
    return parse(json.dumps(fields))


def test_points_boxes_and_orders_are_read():
    assert said(do="point", n=3, points=[[1, 2.5]], label=1, stamp="17") == Pointed(
        3, ((1.0, 2.5),), 1, None, 17, None
    )
    assert said(do="point", n=3, box=[9, 2, 1, 4], object=0) == Pointed(
        3, (), 0, (1.0, 2.0, 9.0, 4.0), 0, 0
    )
    assert said(do="rename", n=4, object=7, label="cup\n") == Order(4, "rename", 7, "cup")
    assert said(do="pause", n=5, on=True) == Order(5, "pause", on=True)
    assert said(do="seek", n=6, frame=12) == Order(6, "seek", frame=12)
    assert said(do="seen", n=7) == Note("seen", 7)


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"do": "fly"}, {"do": "point"}, {"do": "point", "points": [[1]]},
        {"do": "point", "points": [[1, "2"]]}, {"do": "point", "points": [[1, True]]},
        {"do": "point", "points": [[1, 1e9]]}, {"do": "point", "points": [[0, 0]] * 17},
        {"do": "point", "points": [[0, 0]], "label": 2}, {"do": "point", "box": [1, 2, 3]},
        {"do": "point", "points": [[0, 0]], "stamp": "1e9"},
        {"do": "point", "points": [[0, 0]], "stamp": "-"},
        {"do": "point", "points": [[0, 0]], "stamp": "99999999999999999999"},
        {"do": "point", "points": [[0, 0]], "stamp": 17},
        {"do": "point", "points": [[0, 0]], "object": 65536},
        {"do": "remove", "object": -1}, {"do": "pause", "on": 1}, {"do": "seen", "n": 1.5},
        {"do": "rename", "label": "x" * 81}, {"do": "seek", "frame": 10**10}, {"do": ["seek"]},
    ],
)  # fmt: skip
def test_anything_else_is_one_line(fields):
    with pytest.raises(PromptError) as refused:
        said(**fields)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "NaN", '"x"', "[" * 9000, '{"do": "point", "points": [[NaN, 1]]}',
             '{"do": "point", "points": [[1e999, 1]]}', "9" * 5000]
)  # fmt: skip
def test_what_is_no_message_is_one_line(text):
    with pytest.raises(PromptError):
        parse(text)


@given(st.text(max_size=60))
def test_no_text_does_harm(text):
    found = None
    with suppress(PromptError):
        found = parse(text)
    assert found is None or isinstance(found, (Note, Order, Pointed))
