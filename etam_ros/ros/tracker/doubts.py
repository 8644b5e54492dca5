"""When an object that is visible is doubtful, and why: there are three grounds.

The network itself thinks little of the mask; the colours under the mask are no longer those of the
object that was prompted; or another object that is followed has the same colours and is near, so
that the two may have changed places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.config import EventsConfig
from etam_ros.records import ObjectState

Colours = NDArray[np.float32]
"""Shares of the bins of a histogram over L, a, b."""

BINS: Final = (4, 8, 8)
FEWEST_PX: Final = 64
"""Colours of fewer pixels say nothing."""
SAMPLES: Final = 64
"""Rows and columns, at most about, at which a mask is looked at."""
HYSTERESIS: Final = 0.8
"""A doubt about colours ends once they are nearer than this share of its limit, or further."""


@dataclass(frozen=True)
class Lookalike:
    """Another object that is near.

    Attributes:
        name: in words.
        distance: of the colours of the two, 0..1.
    """

    name: str
    distance: float


@dataclass(frozen=True, eq=False)
class Observation:
    """What one frame shows of an object that is visible.

    Attributes:
        iou_score: the model's own estimate.
        colours: under its mask; None where they say nothing.
        lookalike: the one of the most similar colours; None where nobody is near.
    """

    iou_score: float
    colours: Colours | None = None
    lookalike: Lookalike | None = None


@dataclass(frozen=True)
class _Ground:
    """One ground for doubt.

    Attributes:
        frames: in a row on which it was given.
        told: it was for long enough; it cannot be told again before it was clearly not given.
    """

    frames: int = 0
    told: bool = False

    def after(self, given: bool, clearly_not: bool, needed: int) -> _Ground:
        """As of a frame later."""
        frames = self.frames + 1 if given else 0
        return _Ground(frames, (self.told and not clearly_not) or frames >= needed)


@dataclass(frozen=True, eq=False)
class Doubts:
    """The doubts about one object since it was prompted or hidden last.

    Attributes:
        colours: of the object when it was prompted; None before the frame after that.
        estimate, appearance, lookalike: the three grounds.
    """

    colours: Colours | None = None
    estimate: _Ground = field(default_factory=_Ground)
    appearance: _Ground = field(default_factory=_Ground)
    lookalike: _Ground = field(default_factory=_Ground)

    def after(self, observation: Observation, config: EventsConfig) -> Doubts:
        """As of a frame later."""
        sure_above = max(config.sure_above, config.doubtful_below)
        changed = self._change(observation)
        twin = math.inf if observation.lookalike is None else observation.lookalike.distance
        most, least = config.colours_differ_above, config.lookalike_below
        needed = config.doubtful_frames
        return Doubts(
            observation.colours if self.colours is None else self.colours,
            self.estimate.after(
                observation.iou_score < config.doubtful_below,
                observation.iou_score > sure_above,
                needed,
            ),
            self.appearance.after(changed > most, changed < HYSTERESIS * most, needed),
            self.lookalike.after(twin < least, twin > least / HYSTERESIS, needed),
        )

    def hidden(self) -> Doubts:
        """As of a frame on which the object is not visible."""
        return Doubts(self.colours)

    def news(self, before: Doubts, observation: Observation) -> Iterator[str]:
        """Reasons, in words, for the doubts that are new.

        Args:
            before: the doubts a frame before.
            observation: of the frame since.
        """
        if self.estimate.told and not before.estimate.told:
            yield f"the model's own IoU estimate is {observation.iou_score:.2f}"
        if self.appearance.told and not before.appearance.told:
            change = self._change(observation)
            yield f"its colours differ by {change:.2f} from those at its last prompt"
        if self.lookalike.told and not before.lookalike.told and observation.lookalike is not None:
            yield f"{observation.lookalike.name} looks the same and is near"

    def _change(self, observation: Observation) -> float:
        if self.colours is None or observation.colours is None:
            return 0.0
        return colour_distance(self.colours, observation.colours)


def observe(
    picture: NDArray[np.uint8], states: Iterable[ObjectState], names: Mapping[int, str]
) -> dict[int, Observation]:
    """What a frame shows of its visible objects, by their ids.

    Args:
        picture: (H, W, 3) uint8 RGB.
        states: of the frame.
        names: of the objects in words, by their ids.
    """
    visible = [state for state in states if not state.occluded]
    colours = {state.object_id: colours_of(picture, state) for state in visible}
    return {
        state.object_id: Observation(
            state.iou_score,
            colours[state.object_id],
            _lookalike(state, visible, colours, names),
        )
        for state in visible
    }


def colours_of(picture: NDArray[np.uint8], state: ObjectState) -> Colours | None:
    """The colours under a mask; None where it has too few pixels."""
    if state.area < FEWEST_PX:
        return None
    x0, y0, x1, y1 = state.extent
    step = max(1, math.isqrt((y1 - y0) * (x1 - x0)) // SAMPLES)
    crop = np.ascontiguousarray(picture[y0:y1:step, x0:x1:step])
    mask = np.ascontiguousarray(state.mask[::step, ::step]).view(np.uint8)
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)
    counts = cv2.calcHist([lab], [0, 1, 2], mask, list(BINS), [0, 256] * 3)
    total = float(counts.sum())
    return np.asarray(counts, np.float32).ravel() / total if total else None


def colour_distance(a: Colours, b: Colours) -> float:
    """Bhattacharyya (Hellinger) distance of two histograms, 0..1."""
    return math.sqrt(max(0.0, 1.0 - float(np.sqrt(a * b).sum())))


def _lookalike(
    state: ObjectState,
    visible: Iterable[ObjectState],
    colours: Mapping[int, Colours | None],
    names: Mapping[int, str],
) -> Lookalike | None:
    own = colours[state.object_id]
    found = [
        Lookalike(names[other.object_id], colour_distance(own, theirs))
        for other in visible
        if other.object_id != state.object_id and _near(state.box, other.box)
        for theirs in (colours[other.object_id],)
        if own is not None and theirs is not None
    ]
    return min(found, key=lambda each: each.distance, default=None)


def _near(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    """The gap between two boxes is at most half of the smaller one's shorter side."""
    gap_x = max(a[0], b[0]) - min(a[2], b[2])
    gap_y = max(a[1], b[1]) - min(a[3], b[3])
    shortest = min(min(box[2] - box[0], box[3] - box[1]) for box in (a, b))
    return max(gap_x, gap_y) <= shortest / 2
