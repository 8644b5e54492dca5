"""Semi-supervised evaluation: prompt each object once, follow it, and judge every later mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import PromptError
from etam_ros.evaluation.metrics import boundary_accuracy, region_similarity
from etam_ros.evaluation.segmenters import VideoSegmenter
from etam_ros.evaluation.sequences import VideoSequence
from etam_ros.records import Frame

Labels = NDArray[np.integer[Any]]
OnResult = Callable[[int, Frame, Labels, Labels | None], None]
"""Called with index, frame, ids found and ids expected, after each frame of a sequence."""


@dataclass(frozen=True)
class ObjectScore:
    """One object of one sequence, over the judged frames.

    Attributes:
        object_id: as in the ground truth.
        prompted_frame: index of the frame of its prompt, the first one with a mask of it.
        frames: how many were judged: annotated, after the prompt, without the video's last.
        j, f: means, 0..1.
    """

    object_id: int
    prompted_frame: int
    frames: int
    j: float
    f: float


@dataclass(frozen=True)
class SequenceScore:
    """One sequence; means over its objects, 0..1."""

    name: str
    objects: tuple[ObjectScore, ...]

    @property
    def j(self) -> float:
        """Mean region similarity."""
        return fmean(score.j for score in self.objects)

    @property
    def f(self) -> float:
        """Mean boundary accuracy."""
        return fmean(score.f for score in self.objects)

    @property
    def j_and_f(self) -> float:
        """Mean of both."""
        return (self.j + self.f) / 2


def score_sequence(
    sequence: VideoSequence,
    segmenter: VideoSegmenter,
    kind: str,
    on_result: OnResult = lambda *_: None,
) -> SequenceScore | None:
    """Follow all objects of a sequence, and judge their masks.

    Args:
        segmenter: the tracker or a baseline; it is reset first.
        kind: how objects are prompted, one of PROMPT_KINDS.

    Returns:
        the scores; None where no object has a judged frame.
    """
    segmenter.reset()
    prompted: dict[int, int] = {}
    values: dict[int, list[tuple[float, float]]] = {}
    last = len(sequence) - 1
    for index, frame in enumerate(sequence):
        labels = segmenter.step(frame)
        truth = sequence.truth(index)
        if truth is not None:
            if index != last:
                for object_id in prompted:
                    values[object_id].append(_judge(labels, truth, object_id))
            for object_id in sorted(set(np.unique(truth).tolist()) - {0} - set(prompted)):
                try:
                    mask = segmenter.add_object(object_id, truth == object_id, kind)
                except PromptError:  # too small for a mask prompt yet; it may grow
                    continue
                labels = np.where(mask, object_id, labels)
                prompted[object_id], values[object_id] = index, []
        on_result(index, frame, labels, truth)
    scores = tuple(
        ObjectScore(object_id, prompted[object_id], len(judged), *map(fmean, zip(*judged)))  # noqa: B905
        for object_id, judged in values.items()
        if judged
    )
    return SequenceScore(sequence.name, scores) if scores else None


def _judge(labels: Labels, truth: Labels, object_id: int) -> tuple[float, float]:
    mask, expected = labels == object_id, truth == object_id
    return region_similarity(mask, expected), boundary_accuracy(mask, expected)


def sequences_as_json(scores: Sequence[SequenceScore]) -> dict[str, Any]:
    """Everything there is to know of one or more sequences, for a file; J, F, J&F in 0..1."""
    names = ("j", "f", "j_and_f")
    return {
        "mean": {name: fmean(getattr(score, name) for score in scores) for name in names},
        "sequences": {
            score.name: {name: getattr(score, name) for name in names}
            | {"objects": [asdict(item) for item in score.objects]}
            for score in scores
        },
    }
