"""What is remembered of one object, in constant space however long the stream.

Letters: E memory dim, h = w feature grid, D hidden dim, M memory slots, R pointer slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.device_memory import upload
from etam_ros.runtime import MemoryBatch, StageSizes

EMPTY_SLOT = -1


@dataclass(frozen=True, eq=False)
class Memory:
    """One frame of one object.

    Attributes:
        feature: (E, h, w) from the memory encoder.
        pointer: (D,) object pointer.
    """

    feature: Tensor
    pointer: Tensor


@dataclass(frozen=True)
class BankView:
    """What one frame reads of one object.

    Attributes:
        features: M tensors (E, h, w).
        temporal_index: M values: 0 for the frame just before, counting up with age,
            memory_frames - 1 for conditioning frames.
        pointers: R tensors (D,).
    """

    features: list[Tensor]
    temporal_index: list[int]
    pointers: list[Tensor]


class MemoryBank:
    """Conditioning frames, recent memories and recent pointers of one object.

    Frames are counted by the tracker; the selection follows SAM 2's video predictor (Apache-2.0)
    with every corrected frame a conditioning frame.
    """

    def __init__(self) -> None:
        self._conditioning: dict[int, Memory] = {}
        self._recent: dict[int, Tensor] = {}
        self._pointers: dict[int, Tensor] = {}

    @property
    def conditioning_frames(self) -> tuple[int, ...]:
        """Numbers of the conditioning frames, oldest first."""
        return tuple(sorted(self._conditioning))

    @property
    def recent_frames(self) -> tuple[int, ...]:
        """Numbers of the frames with a recent memory, oldest first."""
        return tuple(sorted(self._recent))

    def add_recent(self, frame: int, memory: Memory, config: TrackerConfig) -> None:
        """Remember a tracked frame, and forget what is too old to be read again."""
        self._recent[frame] = memory.feature
        self._pointers[frame] = memory.pointer
        self._forget_old(frame, config)

    def add_conditioning(self, frame: int, memory: Memory, config: TrackerConfig) -> None:
        """Remember a prompted frame; it replaces what the frame had.

        Beyond `conditioning_memories` the first and the nearest ones stay; the one that goes is
        remembered as an ordinary frame for as long as such frames are.
        """
        self._recent.pop(frame, None)
        self._pointers.pop(frame, None)
        self._conditioning[frame] = memory
        limit = config.conditioning_memories
        while limit and len(self._conditioning) > limit:
            frames = sorted(self._conditioning)
            demoted_frame = frames[1] if limit > 1 else frames[-1]
            demoted = self._conditioning.pop(demoted_frame)
            self._recent[demoted_frame] = demoted.feature
            self._pointers[demoted_frame] = demoted.pointer
        self._forget_old(frame, config)

    def clear_recent(self) -> None:
        """Drop what the frames just before left, for instance when time went back."""
        self._recent.clear()
        self._pointers.clear()

    def view(self, frame: int, sizes: StageSizes, config: TrackerConfig) -> BankView:
        """What `frame` reads: all conditioning frames, then the newest others."""
        conditioning = [self._conditioning[key] for key in sorted(self._conditioning)]
        recent = [key for key in sorted(self._recent) if self._age(key, frame, sizes, config)]
        newest_first = sorted(self._pointers, reverse=True)
        pointers = [key for key in newest_first if 0 < frame - key <= config.recent_pointers]
        return BankView(
            features=[memory.feature for memory in conditioning]
            + [self._recent[key] for key in recent],
            temporal_index=[sizes.memory_frames - 1] * len(conditioning)
            + [frame - key - 1 for key in recent],
            pointers=[memory.pointer for memory in conditioning]
            + [self._pointers[key] for key in pointers],
        )

    @staticmethod
    def _age(key: int, frame: int, sizes: StageSizes, config: TrackerConfig) -> bool:
        return 0 < frame - key <= min(config.recent_memories, sizes.memory_frames - 1)

    def _forget_old(self, frame: int, config: TrackerConfig) -> None:
        for kept, span in (
            (self._recent, config.recent_memories),
            (self._pointers, config.recent_pointers),
        ):
            for key in [key for key in kept if frame - key >= span]:
                del kept[key]


def pack(
    views: Sequence[BankView],
    sizes: StageSizes,
    device: torch.device,
    before: MemoryBatch | None = None,
) -> MemoryBatch:
    """Pad the views of B objects to the longest; empty slots are marked, and zero.

    Args:
        views: one of each object.
        sizes: of the model.
        device: where the batch shall live.
        before: an earlier batch, whose memory is used again where it has the same shape.
    """
    lengths = tuple((len(view.features), len(view.pointers)) for view in views)
    slots, pointer_slots = (max(counts) for counts in zip(*lengths, strict=True))
    shape = (len(views), slots, sizes.memory_dim, sizes.grid, sizes.grid)
    if before is not None and before.memories.shape == shape:
        memories = before.memories
    else:
        memories = torch.empty(shape, device=device)
    pointers = torch.empty(len(views), pointer_slots, sizes.hidden_dim, device=device)
    _stack([view.features for view in views], memories)
    _stack([view.pointers for view in views], pointers)
    temporal_index = [
        view.temporal_index + [EMPTY_SLOT] * (slots - len(view.features)) for view in views
    ]
    return MemoryBatch(
        memories,
        upload(torch.tensor(temporal_index), device),
        pointers,
        upload(torch.tensor([count for _, count in lengths]), device),
        lengths,
    )


def _stack(rows: list[list[Tensor]], out: Tensor) -> None:
    """Write B rows of at most K tensors into out (B, K, ...) with one call, zeros behind each."""
    slots = out.shape[1]
    blank = torch.zeros_like(out[0, 0])
    padded = [tensor for row in rows for tensor in row + [blank] * (slots - len(row))]
    torch.stack(padded, out=out.flatten(0, 1))  # (B*K, ...), a view
