"""Everything in a video: what is found on some frames is followed, each thing once.

Letters: N objects, g side of their low-resolution masks, H, W size of a frame in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from etam_ros.config import EverythingConfig, MaskletsConfig
from etam_ros.errors import PromptError
from etam_ros.records import MAX_OBJECT_ID, Frame, ObjectState, Prompt
from etam_ros.segmenting.everything.found_masks import FoundMask
from etam_ros.segmenting.segmenter import Segmenter
from etam_ros.tracking import Tracker


@dataclass(frozen=True, eq=False)
class Changes:
    """What was changed on a frame.

    Attributes:
        merged: ids of objects that are followed no longer, each with the id of the one it is.
        started: a prompt for each new object, with its id.
    """

    merged: tuple[tuple[int, int], ...] = ()
    started: tuple[Prompt, ...] = ()


@dataclass(frozen=True, eq=False)
class Masklets:
    """Starts objects where nothing is followed yet, and ends those that turn out to be another.

    One thread at a time calls it, the one that calls the tracker.

    Args:
        tracker: fresh or reset; nobody else needs to prompt it, but may.
        config: when, and what.
        grid: how everything is found on a frame.
        largest_id: no object gets a higher one, as long as nobody else chooses ids.
        segmenter: what finds; by default the network of the tracker.

    Example:
        masklets = Masklets(Tracker(stages), MaskletsConfig(every=30))
        for index, frame in enumerate(frames):
            masklets.tracker.step(frame)
            masklets.look(index, frame)
            print(masklets.tracker.result.label_image)
    """

    tracker: Tracker
    config: MaskletsConfig = field(default_factory=MaskletsConfig)
    grid: EverythingConfig = field(default_factory=EverythingConfig)
    largest_id: int = MAX_OBJECT_ID
    segmenter: Segmenter | None = None
    _same_for: dict[tuple[int, int], int] = field(default_factory=dict, init=False, repr=False)
    _known: set[int] = field(default_factory=set, init=False, repr=False)

    def look(self, index: int, frame: Frame) -> Changes:
        """Merge and start objects on the newest frame, which the tracker has stepped.

        Args:
            index: of the frame in its video, from 0.
            frame: itself.

        Returns:
            what was changed; the tracker's `result` is that afterwards.
        """
        merged = self._merge()
        every = self.config.every
        is_due = index % every == 0 if every else index == 0
        return Changes(merged, self._start(frame) if is_due else ())

    def _merge(self) -> tuple[tuple[int, int], ...]:
        """End objects that have shown the same as an older one for some frames."""
        result = self.tracker.result
        overlaps = _overlaps([] if result is None else result.objects)
        same = {pair for pair, iou in overlaps.items() if iou >= self.config.merge_iou}
        before = dict(self._same_for)
        self._same_for.clear()
        self._same_for.update({pair: before.get(pair, 0) + 1 for pair in same})
        ended: dict[int, int] = {}
        for pair in sorted(same):
            older, newer = pair
            if self._same_for[pair] >= self.config.merge_frames and not ended.keys() & set(pair):
                self.tracker.remove(newer)
                ended[newer] = older
        return tuple(ended.items())

    def _start(self, frame: Frame) -> tuple[Prompt, ...]:
        """Follow what was found on the frame, the surest first, as far as it is new."""
        tracker, result = self.tracker, self.tracker.result
        if result is None or not self._has_room():
            return ()
        segmenter = self.segmenter or Segmenter(tracker.stages)
        segmenter.set_image(frame.image)
        found = sorted(segmenter.everything(self.grid), key=lambda each: -each.sureness)
        started: list[Prompt] = []
        followed = result.label_image > 0  # (H, W) bool
        for each in found:
            if not self._has_room():
                break
            if _new_share(each, followed) >= self.config.min_new_share:
                mask = each.mask
                with suppress(PromptError):  # too small for the network's picture
                    state = tracker.add_prompt(Prompt(mask=mask))
                    started.append(Prompt(state.object_id, mask=mask))
                    followed |= mask
        return tuple(started)

    def _has_room(self) -> bool:
        """Whether one more object may be started."""
        tracker = self.tracker
        self._known.update(tracker.object_ids)
        used = len(self._known)  # ids are given in turn, and not again
        return len(tracker.object_ids) < tracker.config.max_objects and used < self.largest_id


def _new_share(found: FoundMask, followed: NDArray[np.bool_]) -> float:
    """The share of a mask's pixels that are not among those (H, W) that are followed."""
    return 1.0 - np.count_nonzero(found.mask & followed) / found.area


def _overlaps(states: Sequence[ObjectState]) -> dict[tuple[int, int], float]:
    """The IoU of each two objects that the model sees, by their ids, the older first.

    That of their masks before overlaps were settled: settled ones share no pixel, and one of two
    that are the same has none left.
    """
    visible = [state for state in states if state.object_score_logit > 0]
    if len(visible) < 2:
        return {}
    masks = torch.stack([state.mask_logits for state in visible]).flatten(1) > 0  # (N, g * g)
    values = masks.float()
    both = values @ values.T  # (N, N)
    areas = both.diagonal()
    iou = (both / (areas[:, None] + areas[None] - both).clamp(min=1)).tolist()
    return {
        (visible[row].object_id, visible[column].object_id): iou[row][column]
        for row, column in combinations(range(len(visible)), 2)
    }
