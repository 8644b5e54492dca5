"""Two runs held against each other, with numbers whose answer is known."""

from __future__ import annotations

from typing import Any

import pytest

from etam_ros.errors import SourceError
from etam_ros.evaluation.metrics.intervals import Interval
from etam_ros.evaluation.report.comparison import Comparison, compare, points


def results(scores: dict[str, float], *, prompt: str = "mask", **of: str) -> list[dict[str, Any]]:
    return [
        {
            "video": name,
            "fingerprint": of.get("fingerprint", "a"),
            "settings": {"protocol": {"prompt": prompt}},
            "runs_on": "", "machine": {}, "versions": {},
            "methods": {"etam_nano": {"j_and_f": score, "objects": [{}]}},
        }
        for name, score in scores.items()
    ]  # fmt: skip


BEFORE = {name: 0.1 * number for number, name in enumerate("abcdefgh", 1)}


def test_a_small_gain_on_every_video_is_more_than_noise() -> None:
    found = compare(
        results(BEFORE), results({n: s + 0.02 for n, s in BEFORE.items()}, prompt="box")
    )
    assert found.gain.mean == pytest.approx(0.02)
    assert found.changed == (("settings.protocol.prompt", "mask", "box"),)
    assert found.changes == ("prompt was mask, is box",)
    assert found.verdict == ("+2.0 points of J&F, 95 % interval +2.0 to +2.0: better, significant")


@pytest.mark.parametrize(
    ("name", "before", "after", "words"),
    [
        ("settings.protocol.name", "semi", "online", "protocol was semi, is online"),
        ("settings.protocol.correct_below", None, 0.5, "correct below was not given, is 0.5"),
        ("settings.baselines", [], ["copy", "flow"], "baselines was not given, is copy, flow"),
        ("settings.network.weights", "a.pt", "", "weights was a.pt, is not given"),
        ("versions.torch", "2.9", "2.10", "versions.torch was 2.9, is 2.10"),
        ("settings.interactions", 0, False, "interactions was 0, is False"),
    ],
)
def test_what_was_changed_is_told_in_words(
    name: str, before: object, after: object, words: str
) -> None:
    found = Comparison((), Interval(0.0, None, None, 0), ((name, before, after),), ())
    assert found.changes == (words,)


def test_gains_and_losses_are_noise() -> None:
    after = {n: s + (0.1 if place % 2 else -0.09) for place, (n, s) in enumerate(BEFORE.items())}
    assert compare(results(BEFORE), results(after)).verdict.endswith(": not significant")


def test_losses_are_worse() -> None:
    after = {name: score - 0.05 for name, score in BEFORE.items()}
    assert compare(results(BEFORE), results(after)).verdict.endswith(": worse, significant")


def test_one_video_tells_nothing() -> None:
    found = compare(results({"a": 0.5}), results({"a": 0.6, "b": 0.1}))
    assert "one video does not show" in found.verdict
    assert found.left_out == ("b",)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (results({"z": 0.5}), "have no video in common"),
        (results(BEFORE, fingerprint="b"), "frames or ground truth of a have changed"),
    ],
)
def test_what_cannot_be_compared(after: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        compare(results(BEFORE), after)


@pytest.mark.parametrize(
    ("difference", "words"), [(0.01234, "+1.2"), (-0.0001, "+0.0"), (-0.2, "-20.0")]
)
def test_differences_in_words(difference: float, words: str) -> None:
    assert points(difference) == words
