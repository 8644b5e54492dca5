"""How good the mask is right after a prompt, on photographs with ground truth.

Letters: H, W height and width of the photograph in pixels.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from etam_ros.cues.grabcut import disc_at, ellipse_in
from etam_ros.errors import ConfigError, PromptError
from etam_ros.evaluation.baselines import first_mask
from etam_ros.evaluation.image_folders import LabelledImage
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.evaluation.truth_prompts import box_of, correcting_click, prompt_object
from etam_ros.records import Frame
from etam_ros.runtime import Stages
from etam_ros.tracking import Tracker

IMAGE_BASELINES: Final = ("grabcut", "disc")
SMALLEST_SHARE: Final = 0.02
"""Of the photograph: objects that cover less are not judged."""
_DISC: Final = 0.1  # of the diagonal: the radius that fits objects of all kinds best

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Segmenter(Protocol):
    """Cuts objects out of one photograph after the other."""

    def look(self, image: Image) -> None:
        """Take the next photograph, (H, W, 3) uint8 RGB."""
        ...

    def segment(self, truth: Mask, kind: str) -> Mask:
        """The mask (H, W) that a prompt for an object gives, made from its truth.

        Raises:
            PromptError: the object is too small for such a prompt.
        """
        ...


class TrackerSegmenter:
    """The tracker's answer to a first prompt.

    Args:
        stages: the network.
    """

    def __init__(self, stages: Stages) -> None:
        self._tracker = Tracker(stages)
        self._next_id = 1

    def look(self, image: Image) -> None:
        """Encode a photograph."""
        self._tracker.reset()
        self._tracker.step(Frame(image))
        self._next_id = 1

    def segment(self, truth: Mask, kind: str) -> Mask:
        """Prompt an object and forget it again, so that objects do not overlap."""
        object_id, self._next_id = self._next_id, self._next_id + 1
        try:
            return prompt_object(self._tracker, object_id, truth, kind)
        finally:
            if object_id in self._tracker.object_ids:
                self._tracker.remove(object_id)


class BaselineSegmenter:
    """GrabCut from the prompt, or a disc around the click.

    Args:
        name: one of IMAGE_BASELINES.

    Raises:
        ConfigError: there is no such baseline.
    """

    def __init__(self, name: str) -> None:
        if name not in IMAGE_BASELINES:
            raise ConfigError(
                f"baseline is {name!r}, expected one of {', '.join(IMAGE_BASELINES)} for "
                "photographs"
            )
        self._name = name
        self._image: Image = np.zeros((1, 1, 3), np.uint8)

    def look(self, image: Image) -> None:
        """Take a photograph."""
        self._image = image

    def segment(self, truth: Mask, kind: str) -> Mask:
        """The mask of a prompt; the disc knows the first click alone, or fills the box."""
        if self._name == "grabcut" or kind == "mask":
            return first_mask(self._image, truth, kind)
        if kind == "box":
            return ellipse_in(truth.shape, box_of(truth))
        point, _ = correcting_click(np.zeros_like(truth), truth)
        return disc_at(truth.shape, point, _DISC * math.hypot(*truth.shape))


@dataclass(frozen=True)
class MaskScore:
    """One object of one photograph.

    Attributes:
        image: name of the photograph.
        object_id: as in the ground truth.
        share: of the photograph that it covers, 0..1.
        iou: of the mask right after the prompt, 0..1.
    """

    image: str
    object_id: int
    share: float
    iou: float


OnMask = Callable[[LabelledImage, Image, int, Mask, Mask, str], None]
"""Called with photograph, its pixels, object id, mask, truth and the segmenter's name."""


def score_image(
    photograph: LabelledImage,
    segmenters: dict[str, Segmenter],
    kind: str,
    on_mask: OnMask = lambda *_: None,
) -> dict[str, list[MaskScore]]:
    """Prompt every object over 2 % of a photograph, each on its own, and judge the masks.

    Args:
        photograph: with ground truth.
        segmenters: by name.
        kind: of the prompt, one of PROMPT_KINDS.
        on_mask: called after each mask.

    Returns:
        the scores of each segmenter; an object too small for the prompt scores 0.
    """
    truth, image = photograph.truth(), photograph.image()
    ids, areas = np.unique(truth[truth > 0], return_counts=True)
    judged = [int(item) for item in ids[areas > SMALLEST_SHARE * truth.size]]
    scores: dict[str, list[MaskScore]] = defaultdict(list)
    for name, segmenter in segmenters.items() if judged else ():
        segmenter.look(image)
        for object_id in judged:
            expected = truth == object_id
            try:
                mask = segmenter.segment(expected, kind)
            except PromptError:
                mask = np.zeros_like(expected)
            share = np.count_nonzero(expected) / expected.size
            iou = region_similarity(mask, expected)
            scores[name].append(MaskScore(photograph.name, object_id, share, iou))
            on_mask(photograph, image, object_id, mask, expected, name)
    return scores


def images_as_json(scores: Sequence[MaskScore]) -> dict[str, Any]:
    """Everything there is to know, for a file; IoU in 0..1."""
    return {
        "mean": {"iou": mean_iou(scores), "masks": len(scores)},
        "images": {
            name: [
                {"object_id": score.object_id, "share": score.share, "iou": score.iou}
                for score in scores
                if score.image == name
            ]
            for name in dict.fromkeys(score.image for score in scores)
        },
    }


def mean_iou(scores: Iterable[MaskScore]) -> float:
    """Mean over all masks, 0..1."""
    return fmean(score.iou for score in scores)
