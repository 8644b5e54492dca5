"""Quality of the mask directly after a prompt, on photographs with ground truth.

Letters: H, W height and width of the photograph in pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import PromptError
from etam_ros.evaluation.baselines import BaselineImageSegmenter
from etam_ros.evaluation.image_folders import LabelledPhotograph
from etam_ros.evaluation.metrics import region_similarity
from etam_ros.evaluation.result_sheets import ResultSheets, draw_result
from etam_ros.evaluation.segmenters import ImageSegmenter, TrackerImageSegmenter
from etam_ros.runtime import Stages

SMALLEST_SHARE: Final = 0.02
"""Share of the photograph; smaller objects are not evaluated."""

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskScore:
    """One object of one photograph.

    Attributes:
        image: name of the photograph.
        object_id: as in the ground truth.
        share: share of the photograph that it covers, 0..1.
        iou: IoU of the mask directly after the prompt, 0..1.
    """

    image: str
    object_id: int
    share: float
    iou: float


OnMask = Callable[[Image, MaskScore, Mask, Mask, str], None]
"""Called with a photograph's pixels, score, mask, truth and the segmenter's name."""
SIZES: Final = {
    "of 2 to 5 %": (0.0, 0.05),
    "of 5 to 20 %": (0.05, 0.2),
    "of over 20 %": (0.2, 1.1),
}
"""Groups of masks by their share of the photograph: more than, and at most."""


def score_image(
    photograph: LabelledPhotograph,
    segmenters: dict[str, ImageSegmenter],
    kind: str,
    on_mask: OnMask = lambda *_: None,
) -> dict[str, list[MaskScore]]:
    """Prompt every object over 2 % of a photograph separately, and evaluate the masks.

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
            score = MaskScore(photograph.name, object_id, share, iou)
            scores[name].append(score)
            on_mask(image, score, mask, expected, name)
    return scores


def judge_photographs(
    photographs: Sequence[LabelledPhotograph],
    kind: str,
    network: tuple[str, Stages] | None,
    baselines: Sequence[str],
    *,
    save: Path | None,
    on_photograph: Callable[[str], None],
    on_mask: OnMask = lambda *_: None,
) -> dict[str, list[MaskScore]]:
    """Evaluate every method on every photograph.

    Args:
        kind: of the prompts, one of PROMPT_KINDS.
        network: name and stages of the model, or None.
        baselines: names from IMAGE_BASELINES.
        save: folder for sheets of pictures, or None.
        on_photograph: called with the name of each finished photograph.
        on_mask: called with each mask.

    Returns:
        the scores by method, the model first.

    Raises:
        SourceError: a photograph or a sheet cannot be read or written.
    """
    segmenters: dict[str, ImageSegmenter] = {}
    if network is not None:
        segmenters[network[0]] = TrackerImageSegmenter(network[1])
    segmenters |= {name: BaselineImageSegmenter(name) for name in baselines}
    scores: dict[str, list[MaskScore]] = {name: [] for name in segmenters}
    sheets = ResultSheets(save) if save is not None else None
    for photograph in photographs:
        found = score_image(photograph, segmenters, kind, _drawn_on(sheets, on_mask))
        for name, each in found.items():
            scores[name] += each
        if sheets:
            sheets.write(photograph.name)
        on_photograph(photograph.name)
    return scores


def _drawn_on(sheets: ResultSheets | None, also: OnMask) -> OnMask:
    def on_mask(image: Image, score: MaskScore, mask: Mask, truth: Mask, name: str) -> None:
        also(image, score, mask, truth, name)
        if sheets:
            number = score.object_id
            caption = f"{name}, object {number}"
            sheets.add(name, draw_result(image, mask * number, truth * number, caption))

    return on_mask


def photographs_report(scores: dict[str, list[MaskScore]], model: str) -> dict[str, Any]:
    """The report as plain values: the model's at the top, baselines in `baselines` by name."""
    reports = {name: images_as_json(each) for name, each in scores.items()}
    report = reports.pop(model, {})
    return report | ({"baselines": reports} if reports else {})


def images_as_json(scores: Sequence[MaskScore]) -> dict[str, Any]:
    """All results of one method as plain values; IoU in 0..1."""
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
