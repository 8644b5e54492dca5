"""One pass over a video: objects are prompted, followed, corrected if asked, and judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import PromptError
from etam_ros.evaluation.metrics.series import Judgement, ObjectSeries
from etam_ros.evaluation.protocols.judging import judge
from etam_ros.evaluation.segmenters import CorrectableSegmenter, VideoSegmenter
from etam_ros.evaluation.truth.annotations import FrameTruth
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.records import Frame, Prompt

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class JudgedFrame:
    """One frame of a pass, for whoever draws or counts.

    Attributes:
        index: of the frame.
        frame: itself.
        labels: (H, W) ids that were found, with the prompts on this frame.
        truth: what was expected; None where nothing is annotated.
        judged: objects that were judged on it.
    """

    index: int
    frame: Frame
    labels: Labels
    truth: FrameTruth | None
    judged: Mapping[int, Judgement]


class Observer(Protocol):
    """Is shown every frame of a pass; the last pass over a video is the one that counts."""

    def begin(self) -> None:
        """A pass begins."""
        ...

    def see(self, judged_frame: JudgedFrame) -> None:
        """The next frame."""
        ...


class Unobserved:
    """Looks at nothing; see Observer."""

    def begin(self) -> None:
        """A pass begins."""

    def see(self, judged_frame: JudgedFrame) -> None:
        """The next frame."""


@dataclass(frozen=True, eq=False)
class Script:
    """What an operator has done so far, to be done again in the next pass.

    Attributes:
        starts: first prompts by frame, given after the frame was judged.
        corrections: by frame, given before.
    """

    starts: Mapping[int, Sequence[Prompt]] = field(default_factory=dict)
    corrections: Mapping[int, Sequence[Prompt]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done in a pass.

    Attributes:
        kind: how objects are prompted first, one of PROMPT_KINDS.
        script: what is done again.
        corrected: frames on which objects are corrected, by frame.
        correct_below: IoU under which an object is corrected at once; 0 never does.
        interactions: frames on which one object gets prompts at most, its first included.
        clicks: for each correction.
    """

    kind: str
    script: Script = Script()
    corrected: Mapping[int, Sequence[int]] = field(default_factory=dict)
    correct_below: float = 0.0
    interactions: int = 1
    clicks: int = 3


@dataclass(frozen=True, eq=False)
class FollowedVideo:
    """What came of a pass.

    Attributes:
        objects: that have a judged frame, in the order in which they were prompted.
        script: all prompts that were given.
        frames: how many the video has.
    """

    objects: tuple[ObjectSeries, ...]
    script: Script
    frames: int


def follow(
    video: LabelledVideo, segmenter: VideoSegmenter, plan: Plan, observer: Observer
) -> FollowedVideo:
    """Follow all objects of a video, and judge their masks.

    An object is prompted on the first annotated frame that shows it. Judged are the annotated
    frames after that, without the last frame of the video, as DAVIS does it; a frame that is
    corrected counts with its correction.

    Args:
        segmenter: the tracker, or a baseline where the plan corrects nothing.
    """
    run = _Pass(segmenter, plan, video.object_names)
    observer.begin()
    index = -1
    for index, (frame, truth) in enumerate(video):
        observer.see(run.take(index, frame, truth))
    return run.finished(index + 1)


class _Pass:
    """The state of one pass; see `follow`."""

    def __init__(
        self, segmenter: VideoSegmenter, plan: Plan, object_names: Mapping[int, str]
    ) -> None:
        self._segmenter, self._plan, self._names = segmenter, plan, object_names
        self._correctable = _as_correctable(segmenter)
        self._judged: dict[int, list[Judgement]] = {}
        self._interacted: dict[int, list[int]] = {}
        self._starts: dict[int, list[Prompt]] = defaultdict(list)
        self._corrections: dict[int, list[Prompt]] = defaultdict(list)
        self._labels: Labels = np.zeros((1, 1), np.uint16)
        segmenter.reset()

    def take(self, index: int, frame: Frame, truth: FrameTruth | None) -> JudgedFrame:
        """Step a frame, give its prompts, and judge it."""
        self._labels = self._segmenter.step(frame)
        self._replay(index, self._plan.script.corrections, self._corrections)
        judged: dict[int, Judgement] = {}
        if truth is not None:
            self._correct(index, truth)
            for object_id, values in self._judged.items():
                judged[object_id] = judge(self._labels, truth, object_id, index)
                values.append(judged[object_id])
        self._replay(index, self._plan.script.starts, self._starts)
        if truth is not None:
            self._start(index, truth)
        return JudgedFrame(index, frame, self._labels, truth, judged)

    def finished(self, frames: int) -> FollowedVideo:
        """What came of it."""
        series = []
        for object_id, interacted in self._interacted.items():
            judged = tuple(each for each in self._judged[object_id] if each.frame != frames - 1)
            if judged:
                label = self._names.get(object_id, "")
                series.append(
                    ObjectSeries(object_id, interacted[0], judged, label, tuple(interacted))
                )
        script = Script(dict(self._starts), dict(self._corrections))
        return FollowedVideo(tuple(series), script, frames)

    def _replay(
        self,
        index: int,
        given: Mapping[int, Sequence[Prompt]],
        journal: dict[int, list[Prompt]],
    ) -> None:
        """Give the prompts of a script on this frame."""
        if self._correctable is None or index not in given:
            return
        for prompt in given[index]:
            self._correctable.replay(prompt)
            journal[index].append(prompt)
            self._note(prompt.object_id, index)
        self._labels = self._correctable.label_image

    def _correct(self, index: int, truth: FrameTruth) -> None:
        """Correct those objects that are due on this frame, as far as it shows them."""
        if self._correctable is None or not (
            self._plan.correct_below or index in self._plan.corrected
        ):
            return
        visible = set(truth.object_ids)
        for object_id in [each for each in self._judged if each in visible]:
            if not self._is_due(object_id, index, truth):
                continue
            expected = truth.prompt_mask(object_id, self._plan.kind)
            try:
                self._correctable.correct(object_id, expected, self._plan.clicks)
            except PromptError:
                continue
            self._corrections[index] += self._correctable.take_prompts()
            self._labels = self._correctable.label_image
            self._note(object_id, index)

    def _is_due(self, object_id: int, index: int, truth: FrameTruth) -> bool:
        plan = self._plan
        if object_id in plan.corrected.get(index, ()):
            return True
        if not plan.correct_below or len(self._interacted[object_id]) >= plan.interactions:
            return False
        return judge(self._labels, truth, object_id, index).j < plan.correct_below

    def _start(self, index: int, truth: FrameTruth) -> None:
        """Prompt objects that the frame shows and that are not followed yet."""
        for object_id in truth.object_ids:
            if object_id in self._interacted:
                continue
            expected = truth.prompt_mask(object_id, self._plan.kind)
            try:
                mask = self._segmenter.add_object(object_id, expected, self._plan.kind)
            except PromptError:  # too small for a mask prompt yet; it may grow
                continue
            self._labels = np.where(mask, object_id, self._labels)
            if self._correctable is not None:
                self._starts[index] += self._correctable.take_prompts()
            self._note(object_id, index)

    def _note(self, object_id: int, index: int) -> None:
        """Remember that an object got a prompt on a frame."""
        frames = self._interacted.setdefault(object_id, [])
        self._judged.setdefault(object_id, [])
        if index not in frames:
            frames.append(index)


def _as_correctable(segmenter: VideoSegmenter) -> CorrectableSegmenter | None:
    correctable: Any = segmenter
    return correctable if hasattr(segmenter, "correct") else None
