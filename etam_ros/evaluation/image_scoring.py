"""How good the mask is right after a prompt, on photographs with ground truth.

Letters: H, W height and width of the photograph in pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import PromptError
from etam_ros.evaluation.image_folders import LabelledImage
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.evaluation.segmenters import ImageSegmenter

SMALLEST_SHARE: Final = 0.02
"""Of the photograph: objects that cover less are not judged."""

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


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
    segmenters: dict[str, ImageSegmenter],
    kind: str,
    on_mask: OnMask = lambda *_: None,
) -> dict[str, list[MaskScore]]:
    """Prompt every object over 2 % of a photograph, each on its own, and judge the masks.

    Returns:
        the scores of each segmenter by name; an object too small for the prompt scores 0.
    """
    truth, image = photograph.truth(), photograph.image()
    ids, areas = np.unique(truth[truth > 0], return_counts=True)
    judged = [int(item) for item in ids[areas > SMALLEST_SHARE * truth.size]]
    scores: dict[str, list[MaskScore]] = defaultdict(list)
    for name, segmenter in segmenters.items() if judged else ():
        segmenter.set_image(image)
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
