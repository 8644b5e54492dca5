"""One pass over a video: objects are prompted, tracked, corrected if required, and evaluated."""

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
    """One frame of a pass, for observers.

    Attributes:
        index: of the frame.
        frame: the frame.
        labels: (H, W) predicted ids, after the prompts on this frame.
        truth: ground truth; None if the frame is not annotated.
        judged: results of the objects that were evaluated on it.
    """

    index: int
    frame: Frame
    labels: Labels
    truth: FrameTruth | None
    judged: Mapping[int, Judgement]


class Observer(Protocol):
    """Gets every frame of a pass; the last pass over a video is the one that counts."""

    def begin(self) -> None:
        """A pass begins."""
        ...

    def see(self, judged_frame: JudgedFrame) -> None:
        """The next frame."""
        ...


class Unobserved:
    """An observer that does nothing; see Observer."""

    def begin(self) -> None:
        """A pass begins."""

    def see(self, judged_frame: JudgedFrame) -> None:
        """The next frame."""


@dataclass(frozen=True, eq=False)
class Script:
    """The operator's prompts so far, to be repeated in the next pass.

    Attributes:
        starts: first prompts by frame, given after the frame is evaluated.
        corrections: corrections by frame, given before it is evaluated.
    """

    starts: Mapping[int, Sequence[Prompt]] = field(default_factory=dict)
    corrections: Mapping[int, Sequence[Prompt]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plan:
    """The prompts of a pass.

    Attributes:
        kind: kind of the first prompt of an object, one of PROMPT_KINDS.
        script: prompts that are repeated.
        corrected: objects to correct, by frame.
        correct_below: an object with an IoU below this is corrected at once; 0 never does.
        interactions: maximum number of frames with prompts for an object, including its first.
        clicks: number of clicks of each correction.
    """

    kind: str
    script: Script = Script()
    corrected: Mapping[int, Sequence[int]] = field(default_factory=dict)
    correct_below: float = 0.0
    interactions: int = 1
    clicks: int = 3


@dataclass(frozen=True, eq=False)
class FollowedVideo:
    """Results of a pass.

    Attributes:
        objects: objects with an evaluated frame, in the order in which they were prompted.
        script: all prompts that were given.
        frames: number of frames of the video.
    """

    objects: tuple[ObjectSeries, ...]
    script: Script
    frames: int


def follow(
    video: LabelledVideo, segmenter: VideoSegmenter, plan: Plan, observer: Observer
) -> FollowedVideo:
    """Track all objects of a video, and evaluate their masks.

    An object is prompted on the first annotated frame that shows it. The annotated frames after
    that are evaluated, without the last frame of the video, as in DAVIS; a corrected frame counts
    with its correction.

    Args:
        segmenter: the tracker, or a baseline if the plan has no corrections.
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
        """Process a frame, give its prompts, and evaluate it."""
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
        """The results of the pass."""
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
        """Correct the objects that are due on this frame and visible on it."""
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
        """Prompt objects on this frame that are not tracked yet."""
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
        """Record that an object got a prompt on a frame."""
        frames = self._interacted.setdefault(object_id, [])
        self._judged.setdefault(object_id, [])
        if index not in frames:
            frames.append(index)


def _as_correctable(segmenter: VideoSegmenter) -> CorrectableSegmenter | None:
    correctable: Any = segmenter
    return correctable if hasattr(segmenter, "correct") else None
