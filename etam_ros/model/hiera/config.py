"""Sizes of Hiera: the four official ones, and any other that is consistent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

STAGES: Final = 4
FEATURE_STAGE: Final = 2
"""Index of the stage whose grid is the feature's; one more is coarser, two are finer."""
FIRST_STRIDE: Final = 4
"""Pixels per token side in the first stage; each stage after it halves the grid."""


@dataclass(frozen=True)
class HieraConfig:
    """What a trunk of four stages is made of; each stage doubles width and heads.

    Attributes:
        width: C, channels of the first stage.
        heads: attention heads of the first stage.
        blocks: of each stage.
        windows: tokens per window side in each stage. The first block of a stage still has the
            window of the stage before, and halves it.
        global_blocks: blocks of the third stage, counted from the trunk's first, that attend to
            the whole grid.
        position_grid: side of the grid that the position embedding is stored for.
        mlp_ratio: hidden width of the MLPs over that of their block.
    """

    width: int
    heads: int
    blocks: tuple[int, int, int, int]
    windows: tuple[int, int, int, int]
    global_blocks: tuple[int, ...]
    position_grid: int = 7
    mlp_ratio: int = 4

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.width * 2**stage for stage in range(STAGES))

    @property
    def first_blocks(self) -> tuple[int, ...]:
        """Index of the first block of each stage."""
        return tuple(sum(self.blocks[:stage]) for stage in range(STAGES))

    def rules(self, image_size: int) -> dict[str, bool]:
        """What has to hold for an input of that size, in words, and whether it does."""
        grid = image_size // FIRST_STRIDE
        first = self.first_blocks
        inside = range(first[FEATURE_STAGE] + 1, first[FEATURE_STAGE + 1])
        return {
            "width is a multiple of heads": self.width % self.heads == 0,
            "every stage has a block": min(self.blocks) >= 1,
            "image_size is a multiple of 32": image_size % (FIRST_STRIDE * 2 ** (STAGES - 1)) == 0,
            "windows that are halved are even": all(size % 2 == 0 for size in self.windows[:-1]),
            "the first grid is a multiple of its window": grid % self.windows[0] == 0,
            "global blocks are in the third stage, after its first": all(
                block in inside for block in self.global_blocks
            ),
        }


SIZES: Final[Mapping[str, HieraConfig]] = {
    "tiny": HieraConfig(96, 1, (1, 2, 7, 2), (8, 4, 14, 7), (5, 7, 9)),
    "small": HieraConfig(96, 1, (1, 2, 11, 2), (8, 4, 14, 7), (7, 10, 13)),
    "base_plus": HieraConfig(112, 2, (2, 3, 16, 3), (8, 4, 14, 7), (12, 16, 20), position_grid=14),
    "large": HieraConfig(144, 2, (2, 6, 36, 4), (8, 4, 16, 8), (23, 33, 43)),
}
"""Those of SAM 2 and 2.1, by the part of the model's name that says the size."""
