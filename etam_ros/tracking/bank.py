"""The memory of one object, whose size does not depend on the length of the stream.

Letters: E memory dim, h = w feature grid, D hidden dim, M memory slots, R pointer slots, K
colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
        looks: (K,) frequency of each colour on the object; None unless the model checks colours.
    """

    feature: Tensor
    pointer: Tensor
    looks: Tensor | None = None


@dataclass(frozen=True)
class BankView:
    """The part of one object's memory that one frame reads.

    Attributes:
        features: M tensors (E, h, w).
        temporal_index: M values: 0 for the frame just before, counting up with age,
            memory_frames - 1 for conditioning frames.
        pointers: R tensors (D,).
        pointer_ages: R values, frames since each pointer.
    """

    features: list[Tensor]
    temporal_index: list[int]
    pointers: list[Tensor]
    pointer_ages: list[int]


@dataclass(frozen=True, eq=False)
class MemoryBank:
    """Conditioning frames, recent memories and recent pointers of one object; immutable.

    Frames are counted by the tracker; the selection follows SAM 2's video predictor (Apache-2.0)
    with every corrected frame a conditioning frame.

    Attributes:
        conditioning: memories of prompted frames, by frame number.
        recent: (E, h, w) features of the other frames, by frame number.
        pointers: (D,) of the other frames, by frame number.
    """

    conditioning: Mapping[int, Memory] = field(default_factory=dict)
    recent: Mapping[int, Tensor] = field(default_factory=dict)
    pointers: Mapping[int, Tensor] = field(default_factory=dict)

    def with_recent(self, frame: int, memory: Memory, config: TrackerConfig) -> MemoryBank:
        """A copy with a tracked frame added, and without frames too old to be read again."""
        recent = {**self.recent, frame: memory.feature}
        pointers = {**self.pointers, frame: memory.pointer}
        return _without_old(frame, self.conditioning, recent, pointers, config)

    def with_conditioning(self, frame: int, memory: Memory, config: TrackerConfig) -> MemoryBank:
        """A copy with a prompted frame, which replaces any earlier memory of that frame.

        If there are more than `conditioning_memories`, the first and the nearest ones are kept;
        the one that is removed is then kept as an ordinary frame, for as long as those are.
        """
        conditioning = {**self.conditioning, frame: memory}
        recent = {key: feature for key, feature in self.recent.items() if key != frame}
        pointers = {key: pointer for key, pointer in self.pointers.items() if key != frame}
        limit = config.conditioning_memories
        while limit and len(conditioning) > limit:
            frames = sorted(conditioning)
            demoted_frame = frames[1] if limit > 1 else frames[-1]
            demoted = conditioning.pop(demoted_frame)
            recent[demoted_frame] = demoted.feature
            pointers[demoted_frame] = demoted.pointer
        return _without_old(frame, conditioning, recent, pointers, config)

    def without_recent(self) -> MemoryBank:
        """A copy with conditioning frames only, for instance after time has gone back."""
        return MemoryBank(self.conditioning)

    def known_looks(self) -> Tensor:
        """(P, K): colours of the object on the P frames on which it was prompted."""
        looks = [memory.looks for memory in self.conditioning.values()]
        return torch.stack([each for each in looks if each is not None])

    def renumbered(self, by: int) -> MemoryBank:
        """A copy with the given offset added to the number of every frame."""
        if by == 0:
            return self
        return MemoryBank(
            {key + by: memory for key, memory in self.conditioning.items()},
            {key + by: feature for key, feature in self.recent.items()},
            {key + by: pointer for key, pointer in self.pointers.items()},
        )

    def view(self, frame: int, sizes: StageSizes, config: TrackerConfig) -> BankView:
        """The memories that `frame` reads: all conditioning frames, then the newest others."""
        conditioning = [self.conditioning[key] for key in sorted(self.conditioning)]
        oldest = frame - min(config.recent_memories, sizes.memory_frames - 1)
        recent = [key for key in sorted(self.recent) if oldest <= key < frame]
        newest_first = sorted(self.pointers, reverse=True)
        pointers = [key for key in newest_first if 0 < frame - key <= config.recent_pointers]
        return BankView(
            features=[memory.feature for memory in conditioning]
            + [self.recent[key] for key in recent],
            temporal_index=[sizes.memory_frames - 1] * len(conditioning)
            + [frame - key - 1 for key in recent],
            pointers=[memory.pointer for memory in conditioning]
            + [self.pointers[key] for key in pointers],
            pointer_ages=[frame - key for key in (*sorted(self.conditioning), *pointers)],
        )


def _without_old(
    frame: int,
    conditioning: Mapping[int, Memory],
    recent: Mapping[int, Tensor],
    pointers: Mapping[int, Tensor],
    config: TrackerConfig,
) -> MemoryBank:
    """A bank of these memories, without recent ones that no frame after `frame` reads."""
    return MemoryBank(
        conditioning,
        {key: value for key, value in recent.items() if frame - key < config.recent_memories},
        {key: value for key, value in pointers.items() if frame - key < config.recent_pointers},
    )


def pack(
    views: Sequence[BankView],
    sizes: StageSizes,
    device: torch.device,
    before: MemoryBatch | None = None,
    *,
    timed: bool = False,
) -> MemoryBatch:
    """Pad the views of B objects to the longest; empty slots are zero, and masked.

    Args:
        views: one of each object.
        sizes: of the model.
        device: device of the batch.
        before: an earlier batch, whose buffers are reused where they have the same shape.
        timed: include the ages of pointers, for models that read them.
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
    ages = None
    if timed:
        padded = [
            view.pointer_ages + [0] * (pointer_slots - len(view.pointer_ages)) for view in views
        ]
        ages = upload(torch.tensor(padded, dtype=torch.float32), device)
    return MemoryBatch(
        memories,
        upload(torch.tensor(temporal_index), device),
        pointers,
        upload(torch.tensor([count for _, count in lengths]), device),
        lengths,
        ages,
    )


def _stack(rows: list[list[Tensor]], out: Tensor) -> None:
    """Write B rows of at most K tensors into out (B, K, ...) in one call, padded with zeros."""
    slots = out.shape[1]
    blank = torch.zeros_like(out[0, 0])
    padded = [tensor for row in rows for tensor in row + [blank] * (slots - len(row))]
    torch.stack(padded, out=out.flatten(0, 1))  # (B*K, ...), a view
