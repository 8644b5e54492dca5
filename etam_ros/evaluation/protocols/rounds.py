"""The protocols: a single pass, or several that correct the worst frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from etam_ros.errors import ConfigError
from etam_ros.evaluation.metrics.series import ObjectSeries
from etam_ros.evaluation.protocols.following import (
    FollowedVideo,
    Observer,
    Plan,
    Unobserved,
    follow,
)
from etam_ros.evaluation.segmenters import VideoSegmenter
from etam_ros.evaluation.truth.videos import LabelledVideo

UNOBSERVED: Final = Unobserved()


@dataclass(frozen=True)
class EvaluationProtocol:
    """How objects are prompted and corrected.

    Attributes:
        name: semi, online or offline.
        prompt: kind of the first prompt of an object, one of PROMPT_KINDS.
        interactions: maximum number of frames with prompts for an object, including its first.
        clicks: number of clicks on each corrected frame.
        correct_below: IoU below which `online` corrects.
    """

    name: str = "semi"
    prompt: str = "mask"
    interactions: int = 8
    clicks: int = 3
    correct_below: float = 0.75


@dataclass(frozen=True)
class CurvePoint:
    """Results of a video for a given number of interacted frames.

    Attributes:
        interacted_frames: maximum for each object.
        j, f, j_and_f: means over objects, 0..1; f is None if the truth consists of boxes.
    """

    interacted_frames: int
    j: float
    f: float | None
    j_and_f: float


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Results of a protocol on one video.

    Attributes:
        objects: results of the last pass.
        curve: a point for each pass.
        frames: number of frames of the video.
        passes: number of passes over the video.
    """

    objects: tuple[ObjectSeries, ...]
    curve: tuple[CurvePoint, ...]
    frames: int
    passes: int

    @property
    def j(self) -> float | None:
        """Mean region similarity over objects; None if none could be evaluated."""
        return fmean(each.j for each in self.objects) if self.objects else None

    @property
    def f(self) -> float | None:
        """Mean boundary accuracy over objects; also None if the truth consists of boxes."""
        return mean_f(self.objects)

    @property
    def j_and_f(self) -> float | None:
        """Mean of both; J if there is no F."""
        return fmean(each.j_and_f for each in self.objects) if self.objects else None


def evaluate(
    video: LabelledVideo,
    segmenter: VideoSegmenter,
    protocol: EvaluationProtocol,
    observer: Observer = UNOBSERVED,
) -> Evaluated:
    """Evaluate one video.

    Args:
        segmenter: the tracker, or a baseline, which cannot be corrected.
        observer: gets the frames of all passes.

    Raises:
        ConfigError: the truth consists of boxes, and the protocol has corrections or mask prompts.
    """
    _check(video, protocol)
    if protocol.name == "offline":
        return _corrected_offline(video, segmenter, protocol, observer)
    plan = Plan(protocol.prompt)
    if protocol.name == "online":
        plan = Plan(
            protocol.prompt,
            correct_below=protocol.correct_below,
            interactions=protocol.interactions,
            clicks=protocol.clicks,
        )
    done = follow(video, segmenter, plan, observer)
    most = max((len(each.interacted) for each in done.objects), default=1)
    return Evaluated(done.objects, _points([(most, done)]), done.frames, 1)


def _check(video: LabelledVideo, protocol: EvaluationProtocol) -> None:
    if video.truths.has_masks:
        return
    if protocol.name != "semi" or protocol.prompt not in ("box", "1-click"):
        raise ConfigError(
            f"the ground truth of {video.name} is boxes, from which {protocol.prompt} prompts "
            "and corrections cannot be made, expected --protocol semi with --prompt box or "
            "1-click"
        )


def _corrected_offline(
    video: LabelledVideo,
    segmenter: VideoSegmenter,
    protocol: EvaluationProtocol,
    observer: Observer,
) -> Evaluated:
    """Repeat passes; each corrects every object on its worst frame of the previous pass."""
    done = follow(video, segmenter, Plan(protocol.prompt), observer)
    passes = [(1, done)]
    for count in range(2, protocol.interactions + 1):
        corrected = worst_frames(done.objects)
        if not corrected:
            break
        plan = Plan(protocol.prompt, done.script, corrected, clicks=protocol.clicks)
        done = follow(video, segmenter, plan, observer)
        passes.append((count, done))
    return Evaluated(done.objects, _points(passes), done.frames, len(passes))


def worst_frames(objects: Sequence[ObjectSeries]) -> dict[int, list[int]]:
    """The worst frame of each object, of those that show it and have no prompt yet, by frame.

    Objects without any error are left out.
    """
    found: dict[int, list[int]] = defaultdict(list)
    for each in objects:
        candidates = [
            judged
            for judged in each.judged
            if judged.expected and judged.j < 1.0 and judged.frame not in each.interacted
        ]
        if candidates:
            found[min(candidates, key=lambda judged: judged.j).frame].append(each.object_id)
    return dict(found)


def _points(passes: Sequence[tuple[int, FollowedVideo]]) -> tuple[CurvePoint, ...]:
    """The curve over passes with evaluated frames."""
    return tuple(
        CurvePoint(
            count,
            fmean(each.j for each in done.objects),
            mean_f(done.objects),
            fmean(each.j_and_f for each in done.objects),
        )
        for count, done in passes
        if done.objects
    )


def mean_f(objects: Sequence[ObjectSeries]) -> float | None:
    """Mean boundary accuracy over objects; None if the truth consists of boxes."""
    values = [each.f for each in objects if each.f is not None]
    return fmean(values) if values else None
