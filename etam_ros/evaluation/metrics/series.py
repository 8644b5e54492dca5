"""What is known of one object through a video, and the numbers that are made of it.

Sources: mean, recall and decay of J and F as in Perazzi et al., CVPR 2016, section 4, and their
use per object in Pont-Tuset et al., The 2017 DAVIS Challenge, section 3. The others say what a
robot needs to know: whether an object that is hidden is called hidden, how far off its centre is,
whether the mask is on another object, and how long it takes to find it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby, pairwise
from statistics import fmean
from typing import Any, Final

import numpy as np

GOOD_IOU: Final = 0.5
"""Recall counts frames above it; an object is found again where J reaches it."""
NOTHING: Final = 0
"""In `covers`: no mask, or one that is mostly on the background."""


@dataclass(frozen=True)
class Judgement:
    """One object on one frame.

    Attributes:
        frame: index in the video.
        j: region similarity 0..1; of boxes where the truth is boxes.
        f: boundary accuracy 0..1; None where the truth is boxes.
        expected, found: whether the truth, and the result, show the object at all.
        centroid_px: distance of the two centres in pixels; None where one is not there.
        covers: id of the true object on which most of the mask lies, or NOTHING; None where that
            is not known.
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
        """Mean of both; J where there is no F."""
        return self.j if self.f is None else (self.j + self.f) / 2


@dataclass(frozen=True)
class Spread:
    """A measure over the judged frames of one object, as DAVIS reports it.

    Attributes:
        mean: over frames.
        recall: share of frames above 0.5.
        decay: mean of the first quarter less that of the last.
    """

    mean: float
    recall: float
    decay: float


@dataclass(frozen=True)
class Occlusion:
    """How well absence was told, over frames; an object is called absent where it has no mask.

    Attributes:
        absent: frames on which the truth does not show the object.
        called_absent: frames on which the result does not.
        both: frames on which neither does.
    """

    absent: int
    called_absent: int
    both: int

    @property
    def precision(self) -> float | None:
        """Share of called absences that were right; None where none was called."""
        return self.both / self.called_absent if self.called_absent else None

    @property
    def recall(self) -> float | None:
        """Share of absences that were called; None where there was none."""
        return self.both / self.absent if self.absent else None


@dataclass(frozen=True)
class Recovery:
    """What happened after the object had been away.

    Attributes:
        returns: how often the truth shows it again after frames on which it did not.
        recovered: how often J reached 0.5 before it went away again.
        frames: mean frames from its return until then; None where it never did.
    """

    returns: int
    recovered: int
    frames: float | None


@dataclass(frozen=True)
class Identity:
    """Which object the mask was on.

    Attributes:
        own: share of the frames with a mask on some object that it was on its own; None where it
            was never on any.
        switches: how often it went from one object to another.
        ended_on: the object it was on last, or NOTHING.
    """

    own: float | None
    switches: int
    ended_on: int


@dataclass(frozen=True)
class ObjectSeries:
    """One object of one video, over the judged frames.

    Attributes:
        object_id: as in the ground truth.
        label: its name, if the truth has one.
        prompted_frame: index of the frame of its first prompt.
        judged: ascending by frame; not empty.
        interacted: frames on which an operator gave prompts, the first included.
    """

    object_id: int
    prompted_frame: int
    judged: tuple[Judgement, ...]
    label: str = ""
    interacted: tuple[int, ...] = field(default=())

    @property
    def frames(self) -> int:
        """How many were judged."""
        return len(self.judged)

    @property
    def j(self) -> float:
        """Mean region similarity, 0..1."""
        return fmean(each.j for each in self.judged)

    @property
    def f(self) -> float | None:
        """Mean boundary accuracy, 0..1; None where the truth is boxes."""
        values = [each.f for each in self.judged if each.f is not None]
        return fmean(values) if values else None

    @property
    def j_and_f(self) -> float:
        """Mean of both, 0..1; J where there is no F."""
        return self.j if self.f is None else (self.j + self.f) / 2

    def summary(self) -> dict[str, Any]:
        """All numbers of the object, as plain values; those that are not defined are None."""
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

    The quarters are those of DAVIS: they share the frame on which they meet.
    """
    bounds = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    first, last = values[bounds[0] : bounds[1] + 1], values[bounds[3] : bounds[4] + 1]
    recall = sum(value > GOOD_IOU for value in values) / len(values)
    return Spread(fmean(values), recall, fmean(first) - fmean(last))


def occlusion(judged: Sequence[Judgement]) -> Occlusion:
    """How often the object was absent, was called absent, and both."""
    return Occlusion(
        absent=sum(not each.expected for each in judged),
        called_absent=sum(not each.found for each in judged),
        both=sum(not each.expected and not each.found for each in judged),
    )


def recovery(judged: Sequence[Judgement]) -> Recovery:
    """How often the object came back, and how soon it was followed again."""
    spells = [(seen, list(group)) for seen, group in groupby(judged, lambda each: each.expected)]
    returns = [spell for (before, _), (seen, spell) in pairwise(spells) if seen and not before]
    waits = [
        again.frame - spell[0].frame
        for spell in returns
        if (again := next((each for each in spell if each.j >= GOOD_IOU), None)) is not None
    ]
    return Recovery(len(returns), len(waits), fmean(waits) if waits else None)


def identity(judged: Sequence[Judgement], object_id: int) -> Identity:
    """On which objects the mask was, and how often it changed over.

    A mask that leaves an object and comes back to the same one has not changed over, whatever
    lies between.
    """
    covered = [each.covers for each in judged if each.covers]
    switches = sum(before != now for before, now in pairwise([object_id, *covered]))
    own = sum(each == object_id for each in covered) / len(covered) if covered else None
    return Identity(own, switches, covered[-1] if covered else NOTHING)
