"""Values that travel refuse what cannot be."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from etam_ros import Frame, Prompt
from etam_ros.config import GROUPS, NodeConfig, TrackerConfig
from etam_ros.errors import ConfigError, ImageError, PromptError
from etam_ros.options import option_of


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_a_frame_is_rgb_of_uint8(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"expected \(H, W, 3\) of uint8"):
        Frame(image)


@pytest.mark.parametrize("image", ["photo.jpg", None])
def test_a_picture_that_was_not_read_is_no_frame(image: object) -> None:
    with pytest.raises(ImageError, match=f"frame is a {type(image).__name__}, .*: read the"):
        Frame(image)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "empty"),
        ({"points": [(1, 2)]}, "1 points and 0 labels"),
        ({"points": [(1, float("nan"))], "point_labels": [1]}, "not a finite"),
        ({"points": [(1, 2)], "point_labels": [2]}, "label is 2"),
        ({"points": [(1, 2)] * 257, "point_labels": [1] * 257}, "257 points, expected up to 256"),
        ({"points": [(1, 2)], "point_labels": [1], "label": "a" * 1025}, "1025 letters"),
        ({"box": (5, 5, 5, 9)}, "no area"),
        ({"box": (5, 5, 4, 9)}, "no area"),
        ({"box": (1, 2, 3)}, "not four"),
        ({"box": (0, 0, float("inf"), 4)}, "not four finite"),
        ({"mask": np.zeros((4, 4), bool), "box": (0, 0, 1, 1)}, "only a mask"),
        ({"mask": np.zeros((4, 4), np.uint8)}, "of bool"),
        ({"mask": "mask.png"}, "mask is a str, expected an array"),
    ],
)
def test_a_prompt_says_what_is_wrong(given: dict[str, object], words: str) -> None:
    with pytest.raises(PromptError, match=words):
        Prompt(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"recent_memories": -1}, "recent_memories is -1, expected 0..63"),
        ({"recent_memories": 2.5}, "expected int"),
        ({"recent_memories": True}, "expected int"),
        ({"overlap": "mix"}, "expected one of settle, keep"),
        ({"forget_after_s": float("nan")}, "expected 0.."),
    ],
)
def test_configuration_is_checked(given: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrackerConfig(**given)


def test_whole_numbers_pass_for_fractions() -> None:
    assert replace(TrackerConfig(), forget_after_s=3).forget_after_s == 3


@pytest.mark.parametrize("config", [NodeConfig, *GROUPS.values()])
def test_every_field_is_described(config: type) -> None:
    for item in fields(config):
        described = option_of(item)
        assert described.description.endswith(".")
        described.check(item.name, item.default, item.default)
