"""What stands for options of the demo that are left out, and clicks and boxes in text."""

from pathlib import Path

import pytest

from etam_ros.demo.config import UNTRAINED, DemoConfig
from etam_ros.demo.options import prompts_from_text, settled
from etam_ros.errors import PromptError


def test_what_is_given_stays():
    given = settled(DemoConfig(weights="mine.pt", rate_hz=12.0))
    assert (given.weights, given.rate_hz) == ("mine.pt", 12.0)
    assert given.trained


def test_weights_are_the_models_own_else_random():
    own = settled(DemoConfig())
    assert Path(own.weights).name == "etam_nano.safetensors"
    assert own.trained
    absent = settled(DemoConfig(model="tiny_test"))
    assert absent.weights == UNTRAINED
    assert not absent.trained


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"click": ("1,2",)}, "need a SOURCE"),
        ({"follow": True, "source": "clip.mp4"}, "--follow uses its own room"),
        ({"follow": True, "rate_hz": 3.0}, "--follow uses its own room"),
        ({"seconds": 3.0}, "--seconds is for --follow"),
    ],
)
def test_what_does_not_go_together_is_refused(given, words):
    with pytest.raises(PromptError, match=words):
        DemoConfig(**given)


def test_clicks_and_boxes_are_one_new_object_each():
    click, other, box = prompts_from_text(["1,2.5", "3,4"], ["1,2,30,40"])
    assert [click.object_id, other.object_id, box.object_id] == [1, 2, 3]
    assert list(click.points) == [(1.0, 2.5)]
    assert list(click.point_labels) == [1]
    assert box.box == (1.0, 2.0, 30.0, 40.0)


@pytest.mark.parametrize(
    ("clicks", "boxes", "words"),
    [
        (["3"], [], "--click is '3', expected X,Y"),
        (["1,2,3"], [], "--click is '1,2,3', expected X,Y"),
        ([], ["1,2,x,4"], "--box is '1,2,x,4', expected X0,Y0,X1,Y1"),
        ([], ["9,2,3,4"], "no area"),
    ],
)
def test_malformed_ones_are_one_line(clicks, boxes, words):
    with pytest.raises(PromptError, match=words):
        prompts_from_text(clicks, boxes)
