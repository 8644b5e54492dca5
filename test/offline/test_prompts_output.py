"""Prompts that are written are read again as they were, whatever is in them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etam_ros.errors import SourceError
from etam_ros.offline.prompts_file import TimedPrompt, read_prompts
from etam_ros.offline.prompts_output import write_prompts
from etam_ros.records import Prompt

NUMBER = st.integers(-5, 4000) | st.floats(-1e6, 1e6)
CLICKS = st.lists(st.tuples(st.tuples(NUMBER, NUMBER), st.sampled_from([0, 1])), max_size=3)


@st.composite
def prompts(draw):
    if draw(st.booleans()):
        said = {"mask": np.arange(12).reshape(3, 4) > draw(st.integers(-1, 10))}
    else:
        clicks = draw(CLICKS)
        box = None if clicks and draw(st.booleans()) else (draw(st.floats(0, 9)), 1, 10.5, 20)
        said = {"points": [p for p, _ in clicks], "point_labels": [n for _, n in clicks],
                "box": box}  # fmt: skip
    keep = draw(st.booleans())
    prompt = Prompt(
        draw(st.integers(1, 255)), draw(st.text(max_size=9)), keep_previous=keep, **said
    )
    when = draw(st.sampled_from([(0, None), (7, None), (None, 123456789012345678)]))
    return TimedPrompt("here", *when, prompt)


def all_of(item):
    prompt = item.prompt
    mask = None if prompt.mask is None else prompt.mask.tolist()
    box = None if prompt.box is None else tuple(map(float, prompt.box))
    points = [tuple(map(float, point)) for point in prompt.points]
    return (item.frame, item.stamp_ns, prompt.object_id, prompt.label, points,
            list(prompt.point_labels), box, mask, prompt.keep_previous)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(prompts(), min_size=1, max_size=4))
def test_what_is_written_is_read_again(tmp_path, listed):
    path = write_prompts(tmp_path / "out", listed)
    assert [all_of(item) for item in read_prompts(path)] == [all_of(item) for item in listed]
    masks = sum(item.prompt.mask is not None for item in listed)
    assert len(list(path.parent.iterdir())) == 1 + masks


def test_it_is_short_enough_to_be_read(tmp_path):
    item = TimedPrompt("here", 0, None, Prompt(2, points=[(3.0, 4.5)], point_labels=[1]))
    text = write_prompts(tmp_path, [item]).read_text()
    assert text == '[\n  {"frame": 0, "object_id": 2, "points": [[3, 4.5]], "labels": [1]}\n]\n'
    assert json.loads(text)


def test_where_it_cannot_be_written_is_said(tmp_path):
    (tmp_path / "out").write_text("a file")
    item = TimedPrompt("here", 0, None, Prompt(2, box=(0, 0, 2, 2)))
    with pytest.raises(SourceError, match="cannot write"):
        write_prompts(tmp_path / "out", [item])
