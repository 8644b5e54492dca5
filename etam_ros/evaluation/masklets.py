"""How many annotated objects are found and tracked without a prompt.

    python -m etam_ros.evaluation.masklets VIDEOS --max-objects 32

Letters: H, W height and width of a frame in pixels.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.config import EverythingConfig, MaskletsConfig, NetworkConfig, TrackerConfig
from etam_ros.errors import EtamError
from etam_ros.evaluation.metrics.regions import region_similarity
from etam_ros.evaluation.metrics.series import Judgement, ObjectSeries
from etam_ros.evaluation.protocols.judging import judge
from etam_ros.evaluation.truth.annotations import FrameTruth, MaskTruth
from etam_ros.evaluation.truth.opening import open_videos
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.plain_options import add_options, given_options
from etam_ros.runtime import Stages
from etam_ros.segmenting import FoundMask, Segmenter
from etam_ros.segmenting.masklets import Changes, Masklets
from etam_ros.tracking import Tracker, open_stages

FOUND_IOU: Final = 0.5
"""IoU of a mask with an annotated object from which on the object counts as found."""


@dataclass(frozen=True)
class FoundInVideo:
    """Results for the annotated objects of a video.

    Attributes:
        listed: by object, the best IoU of all masks that were found on its first frame.
        followed: by object, the best IoU of the masks that were tracked from there.
        series: results of the tracked objects over the following frames.
        objects: number of all tracked objects, including those that are not annotated.
    """

    listed: dict[int, float]
    followed: dict[int, float]
    series: tuple[ObjectSeries, ...]
    objects: int


class _RememberingSegmenter(Segmenter):
    """Records the masks that it found."""

    found: Sequence[FoundMask] = ()

    def everything(
        self,
        config: EverythingConfig | None = None,
        *,
        on_progress: Callable[[int, int | None], None] = lambda *_: None,
    ) -> list[FoundMask]:
        found = super().everything(config, on_progress=on_progress)
        self.found = found
        return found


def judge_masklets(
    video: LabelledVideo,
    stages: Stages,
    tracking: TrackerConfig,
    config: MaskletsConfig,
    grid: EverythingConfig,
) -> FoundInVideo:
    """Find and track everything in a video, and compare it with the truth of its first frame.

    Objects on the first frame are evaluated, on the annotated frames after it, without the last
    frame of the video, as in `protocols.following`.

    Args:
        video: a video with masks for its first frame.
        stages: the stages of the network.
        tracking: settings of the tracker, such as the maximum number of objects.
        config: which masks are tracked.
        grid: how masks are found.
    """
    segmenter, tracker = _RememberingSegmenter(stages), Tracker(stages, tracking)
    masklets = Masklets(tracker, config, grid, segmenter=segmenter)
    listed: dict[int, float] = {}
    best: dict[int, tuple[float, int]] = {}
    judged: dict[int, list[Judgement]] = {}
    ids: set[int] = set()
    index = 0
    for index, (frame, truth) in enumerate(video):
        labels = tracker.step(frame).label_image
        changes = masklets.look(index, frame)
        labels = labels if tracker.result is None else tracker.result.label_image
        ids.update(tracker.object_ids)
        best = {each: (iou, _since(changes, found)) for each, (iou, found) in best.items()}
        if index == 0:
            listed = _best_of([each.mask for each in segmenter.found], truth)
            best = _best_followed(labels, truth)
            if not any(iou >= FOUND_IOU for iou, _ in best.values()):
                break  # there is nothing to evaluate
        elif truth is not None:
            for object_id, (iou, found) in best.items():
                if iou >= FOUND_IOU:
                    own = np.where(labels == found, object_id, 0)
                    judged.setdefault(object_id, []).append(judge(own, truth, object_id, index))
    series = [
        ObjectSeries(object_id, 0, tuple(each for each in values if each.frame != index))
        for object_id, values in judged.items()
    ]
    return FoundInVideo(
        listed,
        {object_id: iou for object_id, (iou, _) in best.items()},
        tuple(each for each in series if each.judged),
        len(ids),
    )


def _since(changes: Changes, object_id: int) -> int:
    """The object as which an object is tracked, after it may have been merged."""
    return dict(changes.merged).get(object_id, object_id)


def _best_of(masks: Sequence[NDArray[np.bool_]], truth: FrameTruth | None) -> dict[int, float]:
    """By annotated object, the best IoU among the given masks (H, W)."""
    if not isinstance(truth, MaskTruth):
        return {}
    return {
        object_id: max(
            (region_similarity(each, truth.mask(object_id)) for each in masks), default=0
        )
        for object_id in truth.object_ids
    }


def _best_followed(
    labels: NDArray[np.integer[Any]], truth: FrameTruth | None
) -> dict[int, tuple[float, int]]:
    """By annotated object, the best IoU in a label image (H, W), and the id with that IoU."""
    followed = [int(each) for each in np.unique(labels) if each]
    if not isinstance(truth, MaskTruth):
        return {}
    return {
        object_id: max(
            (
                (region_similarity(labels == each, truth.mask(object_id)), each)
                for each in followed
            ),
            default=(0.0, 0),
        )
        for object_id in truth.object_ids
    }


def _share_found(overlaps: Sequence[float]) -> str:
    found = sum(iou >= FOUND_IOU for iou in overlaps)
    return f"{found} of {len(overlaps)}"


def main(arguments: Sequence[str]) -> int:
    """Evaluate videos, and print a line for each and one for all; returns the exit code."""
    parser = ArgumentParser("python -m etam_ros.evaluation.masklets", description=__doc__)
    parser.add_argument("videos", help="sequences with masks, as `etam eval` reads them")
    configs: tuple[type[Any], ...] = (NetworkConfig, MaskletsConfig, EverythingConfig)
    for config in configs:
        add_options(parser, config)
    add_options(parser, TrackerConfig, "max_objects")
    parsed = parser.parse_args(arguments)
    network, masklets, grid, tracking = (
        config(**given_options(parsed, config)) for config in (*configs, TrackerConfig)
    )
    done: list[FoundInVideo] = []
    with open_stages(**vars(network)) as stages:
        for video in open_videos(parsed.videos):
            done.append(judge_masklets(video, stages, tracking, masklets, grid))
            print(_line(video.name, done[-1:]), flush=True)
    print(_line("all", done))
    return 0


def _line(name: str, videos: Sequence[FoundInVideo]) -> str:
    """A row of the table; J&F is the mean over objects of each video, then over videos."""
    means = [fmean(each.j_and_f for each in video.series) for video in videos if video.series]
    quality = f"{100 * fmean(means):.1f}" if means else "none"
    listed, followed = (
        _share_found([iou for video in videos for iou in getattr(video, what).values()])
        for what in ("listed", "followed")
    )
    objects = sum(video.objects for video in videos)
    return (
        f"{name}: found {listed}, followed {followed}, J&F of those {quality}, "
        f"{objects} objects followed"
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EtamError as error:
        sys.exit(f"error: {error}")
