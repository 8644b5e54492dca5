"""What training is fed with: clips, and where they come from.

Letters: T frames, K objects, S side of the square that the network sees, in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ConfigError

_CHOICE_STREAM: Final = 0x5A11
"""Keeps the draw of a source apart from the draws inside that source."""
_SMALLEST_PX: Final = 16


@dataclass(frozen=True, eq=False)
class TrainingClip:
    """A short clip with the truth about some objects in it. With T = 1 it is a photograph.

    The network squashes a whole frame to a square, so clips are square from the start.

    Attributes:
        images: (T, S, S, 3) uint8, RGB.
        masks: (K, T, S, S) bool, the visible pixels of each of K >= 1 objects; all False where
            an object is hidden or out of view. Masks may overlap: a part and its whole are two
            objects.
    """

    images: NDArray[np.uint8] = field(repr=False)
    masks: NDArray[np.bool_] = field(repr=False)


class ClipSource(Protocol):
    """Something that makes training clips."""

    def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
        """The clip of a seed: a pure function of its arguments, to the bit, in any process.

        Args:
            seed: any integer from 0 up.
            frames: T, at least 1.
            size: S, side of the pictures in pixels.
        """
        ...


def check_request(seed: int, frames: int, size: int) -> None:
    """Raise ConfigError unless the seed is from 0, T from 1 and S from 16 pixels up."""
    if seed < 0 or frames < 1 or size < _SMALLEST_PX:
        raise ConfigError(
            f"clip of seed {seed}, {frames} frames, {size} px is asked for, expected a seed "
            f"from 0, frames from 1 and a size from {_SMALLEST_PX} up"
        )


class MixedSource:
    """A source that draws each clip from one of several, by relative weight and by seed.

    Raises:
        ConfigError: there is no source, or no weight is positive.
    """

    def __init__(self, sources: Sequence[tuple[ClipSource, float]]) -> None:
        weights = np.array([weight for _, weight in sources], np.float64)
        if not len(weights) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ConfigError(
                f"clip sources have weights {weights.tolist()}, "
                "expected at least one source and weights from 0 up"
            )
        if weights.sum() <= 0:
            raise ConfigError("clip sources all have weight 0, expected one that is positive")
        self._sources = [source for source, _ in sources]
        self._bounds = np.cumsum(weights / weights.sum())

    def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
        """The clip of a seed, from the source that the seed chooses.

        The source gets a seed of its own: with the same one a mix in a mix would draw the same
        number again, and never choose some of its sources.
        """
        rng = np.random.default_rng([_CHOICE_STREAM, seed])
        draw = rng.random() * self._bounds[-1]
        index = int(np.searchsorted(self._bounds, draw, side="right"))
        source = self._sources[min(index, len(self._sources) - 1)]
        return source.clip(int(rng.integers(2**62)), frames=frames, size=size)
