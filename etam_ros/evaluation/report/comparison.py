"""Comparison of two runs over the same videos, with a test of significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etam_ros.errors import SourceError
from etam_ros.evaluation.metrics.intervals import Interval, paired_difference
from etam_ros.evaluation.report.summary import judged_results
from etam_ros.evaluation.runs.store import Result, flat


def points(difference: float) -> str:
    """A difference of shares in percent: +1.2; one that rounds to zero has no minus sign."""
    return f"{round(100 * difference, 1) + 0.0:+.1f}"


@dataclass(frozen=True)
class ComparedVideo:
    """J&F of one video in both runs, 0..1."""

    name: str
    before: float
    after: float

    @property
    def gain(self) -> float:
        """Improvement of the second run; negative if it is worse."""
        return self.after - self.before


@dataclass(frozen=True)
class Comparison:
    """Comparison of a run with an earlier one.

    Attributes:
        videos: videos that both have evaluated, by name.
        gain: mean of their improvements, with its interval by paired bootstrap.
        changed: settings that differ, as (name, before, after).
        left_out: videos that only one of them has.
        measure: name of the compared measure, for messages.
        one: word for a video in messages, because photographs are compared as well.
    """

    videos: tuple[ComparedVideo, ...]
    gain: Interval
    changed: tuple[tuple[str, Any, Any], ...]
    left_out: tuple[str, ...]
    measure: str = "J&F"
    one: str = "video"

    @property
    def changes(self) -> tuple[str, ...]:
        """The settings that differ, one sentence each."""
        return tuple(
            f"{_plain_name(name)} was {_plain_value(before)}, is {_plain_value(after)}"
            for name, before, after in self.changed
        )

    @property
    def verdict(self) -> str:
        """The conclusion in one sentence."""
        mean, one = f"{points(self.gain.mean)} points of {self.measure}", f"one {self.one}"
        if self.gain.low is None or self.gain.high is None:
            return f"{mean} on {one}; {one} does not show whether this is significant"
        span = f"95 % interval {points(self.gain.low)} to {points(self.gain.high)}"
        if not any(video.gain for video in self.videos):
            return "no difference at all"
        if not self.gain.excludes_zero:
            return f"{mean}, {span}: not significant"
        return f"{mean}, {span}: {'better' if self.gain.mean > 0 else 'worse'}, significant"


def _plain_name(path: str) -> str:
    """Name of a setting's option: settings.protocol.name is the protocol."""
    name = path.removeprefix("settings.")
    for group in ("protocol", "network"):
        name = group if name == f"{group}.name" else name.removeprefix(f"{group}.")
    return name.replace("_", " ")


def _plain_value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    return "not given" if value in (None, "") else str(value)


def compare(before: Sequence[Result], after: Sequence[Result]) -> Comparison:
    """Compare a run with an earlier one, by the first method of each.

    Raises:
        SourceError: they have no video in common, or a video or its ground truth has changed.
    """
    old = {result["video"]: result for result in judged_results(before)}
    new = {result["video"]: result for result in judged_results(after)}
    names = sorted(old.keys() & new.keys())
    if not names:
        raise SourceError(
            f"the runs have no video in common; one has {', '.join(sorted(old))[:120]}, the "
            f"other {', '.join(sorted(new))[:120]}: compare runs over the same videos"
        )
    if strangers := [n for n in names if old[n]["fingerprint"] != new[n]["fingerprint"]]:
        raise SourceError(
            f"frames or ground truth of {strangers[0]} have changed between the runs, expected "
            "the same: evaluate both again"
        )
    videos = tuple(ComparedVideo(name, _score(old[name]), _score(new[name])) for name in names)
    gain = paired_difference([each.before for each in videos], [each.after for each in videos])
    left_out = tuple(sorted(old.keys() ^ new.keys()))
    told = _told(old[names[0]]), _told(new[names[0]])
    return Comparison(videos, gain, changed(*told), left_out)


def _score(result: Result) -> float:
    first = next(iter(result["methods"].values()))
    return float(first["j_and_f"])


def changed(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[tuple[str, Any, Any], ...]:
    """The differences between two sets of settings, as (name, before, after)."""
    old, new = flat(before), flat(after)
    return tuple(
        (name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _told(result: Result) -> Mapping[str, Any]:
    return {part: result[part] for part in ("settings", "runs_on", "machine", "versions")}
