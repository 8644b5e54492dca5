"""Results of one object over a video, and the measures computed from them.

Sources: mean, recall and decay of J and F as in Perazzi et al., CVPR 2016, section 4, and their
use per object in Pont-Tuset et al., The 2017 DAVIS Challenge, section 3. The others are about what
a robot needs: whether a hidden object is reported as absent, the error of the centroid, whether
the mask is on another object, and how long it takes to find the object again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby, pairwise
from statistics import fmean
from typing import Any, Final

import numpy as np

GOOD_IOU: Final = 0.5
"""Recall counts frames above this; an object counts as found again once J reaches it."""
NOTHING: Final = 0
"""Value of `covers` without a mask, or if the mask is mostly on the background."""


@dataclass(frozen=True)
class Judgement:
    """The result for one object on one frame.

    Attributes:
        frame: index in the video.
        j: region similarity 0..1; of boxes if the truth consists of boxes.
        f: boundary accuracy 0..1; None if the truth consists of boxes.
        expected, found: whether the object is present in the truth, and in the result.
        centroid_px: distance of the two centroids in pixels; None if one does not exist.
        covers: id of the true object that most of the mask is on, or NOTHING; None if unknown.
    """

    frame: int
    j: float
    f: float | None
    expected: bool
    found: bool
    centroid_px: float | None = None
    covers: int | None = None

    @property
    def j_and_f(self) -> float:
        """Mean of both; J if there is no F."""
        return self.j if self.f is None else (self.j + self.f) / 2


@dataclass(frozen=True)
class Spread:
    """A measure over the evaluated frames of one object, as DAVIS reports it.

    Attributes:
        mean: over frames.
        recall: share of frames above 0.5.
        decay: mean of the first quarter of frames minus that of the last.
    """

    mean: float
    recall: float
    decay: float


@dataclass(frozen=True)
class Occlusion:
    """Detection of absence; an object without a mask is reported as absent.

    Attributes:
        absent: frames on which the object is absent in the truth.
        called_absent: frames on which it is absent in the result.
        both: frames on which it is absent in both.
    """

    absent: int
    called_absent: int
    both: int

    @property
    def precision(self) -> float | None:
        """Share of reported absences that were right; None if there were none."""
        return self.both / self.called_absent if self.called_absent else None

    @property
    def recall(self) -> float | None:
        """Share of absences that were reported; None if there were none."""
        return self.both / self.absent if self.absent else None


@dataclass(frozen=True)
class Recovery:
    """Recovery of the object after absences.

    Attributes:
        returns: how often the object reappeared in the truth after an absence.
        recovered: how often J reached 0.5 before the next absence.
        frames: mean number of frames from its return until then; None if it never recovered.
    """

    returns: int
    recovered: int
    frames: float | None


@dataclass(frozen=True)
class Identity:
    """Which object the mask was on.

    Attributes:
        own: of the frames on which the mask was on some object, the share on which it was on the
            right one; None if it was never on any.
        switches: how often it switched from one object to another.
        ended_on: the object that it was on last, or NOTHING.
    """

    own: float | None
    switches: int
    ended_on: int


@dataclass(frozen=True)
class ObjectSeries:
    """One object of one video, over the evaluated frames.

    Attributes:
        object_id: as in the ground truth.
        label: its name, if the truth has one.
        prompted_frame: index of the frame of its first prompt.
        judged: results in order of frames; not empty.
        interacted: frames on which an operator gave prompts, including the first.
    """

    object_id: int
    prompted_frame: int
    judged: tuple[Judgement, ...]
    label: str = ""
    interacted: tuple[int, ...] = field(default=())

    @property
    def frames(self) -> int:
        """Number of evaluated frames."""
        return len(self.judged)

    @property
    def j(self) -> float:
        """Mean region similarity, 0..1."""
        return fmean(each.j for each in self.judged)

    @property
    def f(self) -> float | None:
        """Mean boundary accuracy, 0..1; None if the truth consists of boxes."""
        values = [each.f for each in self.judged if each.f is not None]
        return fmean(values) if values else None

    @property
    def j_and_f(self) -> float:
        """Mean of both, 0..1; J if there is no F."""
        return self.j if self.f is None else (self.j + self.f) / 2

    def summary(self) -> dict[str, Any]:
        """All measures of the object, as plain values; undefined ones are None."""
        judged = self.judged
        with_f = [each.f for each in judged if each.f is not None]
        distances = [each.centroid_px for each in judged if each.centroid_px is not None]
        absence = occlusion(judged)
        return {
            "j": asdict(spread([each.j for each in judged])),
            "f": asdict(spread(with_f)) if with_f else None,
            "j_and_f": self.j_and_f,
            "occlusion": asdict(absence)
            | {"precision": absence.precision, "recall": absence.recall},
            "recovery": asdict(recovery(judged)),
            "identity": asdict(identity(judged, self.object_id)),
            "centroid_px": fmean(distances) if distances else None,
        }


def spread(values: Sequence[float]) -> Spread:
    """Mean, recall and decay of a measure on at least one frame.

    Quarters are defined as in DAVIS: adjacent ones share a frame.
    """
    bounds = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    first, last = values[bounds[0] : bounds[1] + 1], values[bounds[3] : bounds[4] + 1]
    recall = sum(value > GOOD_IOU for value in values) / len(values)
    return Spread(fmean(values), recall, fmean(first) - fmean(last))


def occlusion(judged: Sequence[Judgement]) -> Occlusion:
    """How often the object was absent, was reported as absent, and both."""
    return Occlusion(
        absent=sum(not each.expected for each in judged),
        called_absent=sum(not each.found for each in judged),
        both=sum(not each.expected and not each.found for each in judged),
    )


def recovery(judged: Sequence[Judgement]) -> Recovery:
    """How often the object reappeared, and how soon it was tracked again."""
    spells = [(seen, list(group)) for seen, group in groupby(judged, lambda each: each.expected)]
    returns = [spell for (before, _), (seen, spell) in pairwise(spells) if seen and not before]
    waits = [
        again.frame - spell[0].frame
        for spell in returns
        if (again := next((each for each in spell if each.j >= GOOD_IOU), None)) is not None
    ]
    return Recovery(len(returns), len(waits), fmean(waits) if waits else None)


def identity(judged: Sequence[Judgement], object_id: int) -> Identity:
    """The objects that the mask was on, and how often it switched to another.

    Frames without a mask on an object are ignored: a mask that leaves an object and returns to it
    has not switched.
    """
    covered = [each.covers for each in judged if each.covers]
    switches = sum(before != now for before, now in pairwise([object_id, *covered]))
    own = sum(each == object_id for each in covered) / len(covered) if covered else None
    return Identity(own, switches, covered[-1] if covered else NOTHING)
