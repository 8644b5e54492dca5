"""Comparing the recorded results of a tracker with another run over the same frames.

Both are bags, from the node on a robot, or from `etam track --out-bag`. Memory use is constant,
except for a few numbers per frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.evaluation.metrics.series import Judgement, ObjectSeries
from etam_ros.evaluation.metrics.timing import RecordedTiming, timing_of
from etam_ros.evaluation.protocols.judging import judge
from etam_ros.evaluation.truth.annotations import MaskTruth

if TYPE_CHECKING:
    from etam_ros.media.bags.results import RecordedFrame, RecordedRun


@dataclass(frozen=True, eq=False)
class RecordedAgreement:
    """Two recorded runs, frame by frame.

    Attributes:
        objects: objects in both, evaluated with the first run in place of the truth.
        shared: number of frames that both have processed.
        alone: number of frames that only the first has, and that only the second has.
        prompted: pairs of frame and object that are left out, because a prompt changed them.
        strangers: objects that only one of them has.
        timing: of the first and of the second.
        notes: messages about anything unusual in the bags.
    """

    objects: tuple[ObjectSeries, ...]
    shared: int
    alone: tuple[int, int]
    prompted: int
    strangers: tuple[int, ...]
    timing: tuple[RecordedTiming, RecordedTiming]
    notes: tuple[str, ...] = ()

    @property
    def j_and_f(self) -> float:
        """Mean over objects, 0..1."""
        return fmean(each.j_and_f for each in self.objects)

    def as_json(self) -> dict[str, Any]:
        """All results as plain values."""
        objects = [
            {
                "object_id": each.object_id,
                "label": each.label,
                "frames": each.frames,
                "j": each.j,
                "f": each.f,
                "j_and_f": each.j_and_f,
                "summary": each.summary(),
            }
            for each in self.objects
        ]
        return {
            "j_and_f": self.j_and_f,
            "shared_frames": self.shared,
            "only_recorded": self.alone[0],
            "only_rerun": self.alone[1],
            "prompted": self.prompted,
            "strangers": list(self.strangers),
            "timing": {
                "recorded": asdict(self.timing[0]),
                "rerun": asdict(self.timing[1]),
            },
            "notes": list(self.notes),
            "objects": objects,
        }


OnPair = Callable[
    [int, int, tuple[NDArray[np.uint16], NDArray[np.uint16]], Mapping[int, Judgement]], None
]
"""Called for each frame with index, stamp, label images of both runs, and results by object."""


def compare_recorded(
    recorded: Path,
    rerun: Path,
    *,
    tracker: str = "",
    recover: bool = False,
    on_pair: OnPair = lambda *_: None,
) -> RecordedAgreement:
    """Compare the results of two runs, matched by the stamps of their frames.

    Objects are left out on frames on which they were prompted: a node publishes the result from
    before the prompt, and `etam track` the one from after it.

    Args:
        recorded, rerun: bags with results.
        tracker: the node whose results in `recorded` are compared; empty for the only one.
        recover: read damaged bags as far as possible.
        on_pair: called with each frame that both have, if its size is known from a label image.

    Raises:
        SourceError: a bag cannot be read, or they have no frame or no object in common.
    """
    from etam_ros.media.bags.results import RecordedRun

    first = RecordedRun(recorded, tracker=tracker, recover=recover)
    second = RecordedRun(rerun, recover=recover)
    skipped = first.prompted() | second.prompted()
    found = _RunsInStep(skipped, on_pair)
    for before, after in _in_step(first, second):
        found.take(before, after)
    if not found.shared:
        raise SourceError(
            f"bags {recorded} and {rerun} have no results with the same stamp, expected runs "
            "over the same recording: create one with `etam track BAG --out-bag RERUN`"
        )
    objects = found.objects()
    if not objects:
        raise SourceError(
            f"bags {recorded} and {rerun} have no object in common, expected the same prompts in "
            f"both; ids that only one has: {', '.join(map(str, found.strangers())) or 'none'}"
        )
    return RecordedAgreement(
        objects,
        found.shared,
        (found.alone[0], found.alone[1]),
        found.left_out,
        found.strangers(),
        (found.clocks[0].timing(), found.clocks[1].timing()),
        tuple(dict.fromkeys([*first.bag.notes, *second.bag.notes])),
    )


def recorded_timing(bag: Path, *, tracker: str = "", recover: bool = False) -> RecordedTiming:
    """Rate, latency and drops of a tracker's recorded results.

    Raises:
        SourceError: the bag cannot be read, or contains no results.
    """
    from etam_ros.media.bags.results import RecordedRun

    clock = _ResultTimes()
    for frame in RecordedRun(bag, tracker=tracker, recover=recover).frames():
        clock.take(frame)
    return clock.timing()


class _ResultTimes:
    """Collects the times of results."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._latencies: list[float] = []
        self._dropped: list[int] = []

    def take(self, frame: RecordedFrame) -> None:
        self._stamps.append(frame.stamp_ns)
        self._latencies.append(frame.latency_ms)
        self._dropped.append(frame.dropped_frames)

    def timing(self) -> RecordedTiming:
        return timing_of(self._stamps, self._latencies, self._dropped)


class _RunsInStep:
    """Counts and evaluates frames while two runs are read."""

    def __init__(self, skipped: set[tuple[int, int]], on_pair: OnPair) -> None:
        self._skipped, self._on_pair = skipped, on_pair
        self._judged: dict[int, list[Judgement]] = defaultdict(list)
        self._names: dict[int, str] = {}
        self._ids: tuple[set[int], set[int]] = (set(), set())
        self.clocks = (_ResultTimes(), _ResultTimes())
        self.shared, self.left_out = 0, 0
        self.alone = [0, 0]

    def take(self, before: RecordedFrame | None, after: RecordedFrame | None) -> None:
        """Process a frame that both runs have, or only one of them."""
        for clock, ids, frame in zip(self.clocks, self._ids, (before, after), strict=True):
            if frame is not None:
                clock.take(frame)
                ids |= {each.object_id for each in frame.objects}
        if before is None or after is None:
            self.alone[0 if after is None else 1] += 1
            return
        self.shared += 1
        hw, known = _size(before, after)
        expected, found = MaskTruth(_labels(before, hw)), _labels(after, hw)
        both = {each.object_id for each in after.objects}
        now: dict[int, Judgement] = {}
        for each in before.objects:
            self._names.setdefault(each.object_id, each.label)
            if each.object_id not in both:
                continue
            if (before.stamp_ns, each.object_id) in self._skipped:
                self.left_out += 1
                continue
            judged = judge(found, expected, each.object_id, self.shared - 1)
            now[each.object_id] = judged if known else _without_f(judged)
            self._judged[each.object_id].append(now[each.object_id])
        if known:
            self._on_pair(self.shared - 1, before.stamp_ns, (_labels(before, hw), found), now)

    def objects(self) -> tuple[ObjectSeries, ...]:
        return tuple(
            ObjectSeries(object_id, judged[0].frame, tuple(judged), self._names[object_id])
            for object_id, judged in sorted(self._judged.items())
        )

    def strangers(self) -> tuple[int, ...]:
        return tuple(sorted(self._ids[0] ^ self._ids[1]))


def _in_step(
    first: RecordedRun, second: RecordedRun
) -> Iterator[tuple[RecordedFrame | None, RecordedFrame | None]]:
    """The frames of two runs, paired by stamp; stamps of both increase."""
    befores, afters = first.frames(), second.frames()
    before, after = next(befores, None), next(afters, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.stamp_ns < after.stamp_ns):
            yield before, None
            before = next(befores, None)
        elif before is None or after.stamp_ns < before.stamp_ns:
            yield None, after
            after = next(afters, None)
        else:
            yield before, after
            before, after = next(befores, None), next(afters, None)


def _size(before: RecordedFrame, after: RecordedFrame) -> tuple[tuple[int, int], bool]:
    """Height and width of a frame, and whether they are known or only the extent of the masks."""
    sizes = {frame.image_hw for frame in (before, after) if frame.image_hw is not None}
    if len(sizes) > 1:
        raise SourceError(
            f"the frame of stamp {before.stamp_ns} has label images of different sizes in the "
            f"bags: {' and '.join(f'{w} x {h}' for h, w in sorted(sizes))}, expected the same run"
        )
    if sizes:
        return sizes.pop(), True
    corners = [
        (each.origin[1] + each.mask.shape[0], each.origin[0] + each.mask.shape[1])
        for frame in (before, after)
        for each in frame.objects
    ]
    heights, widths = zip(*corners, strict=True) if corners else ((1,), (1,))
    return (max(1, *heights), max(1, *widths)), False


def _labels(frame: RecordedFrame, hw: tuple[int, int]) -> NDArray[np.uint16]:
    """Published ids (H, W); drawn from the objects' masks if no label image was recorded."""
    if frame.label_image is not None:
        return frame.label_image
    labels = np.zeros(hw, np.uint16)
    for each in frame.objects:
        labels[each.mask_in(hw)] = each.object_id
    return labels


def _without_f(judged: Judgement) -> Judgement:
    """The result without F, whose tolerance depends on the unknown size of the picture."""
    return Judgement(
        judged.frame, judged.j, None, judged.expected, judged.found, judged.centroid_px,
        judged.covers,
    )  # fmt: skip
