"""The four stages that the tracker calls, whatever runs them.

Letters: B objects, S image side, h = w feature grid, D hidden dim, E memory dim, M memory slots,
R pointer slots, P points.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.errors import StageError

POINT_NONE: Final = -1
POINT_BACKGROUND: Final = 0
POINT_FOREGROUND: Final = 1
POINT_BOX_MIN: Final = 2
POINT_BOX_MAX: Final = 3
IN_FLOAT32: Final = ("decode_mask", "encode_memory")
"""Stages that no precision reduces: the one's choices flip, the other is read ever after."""


@dataclass(frozen=True)
class StageSizes:
    """What the tracker has to know of a model.

    Attributes:
        image_size: S.
        grid: h = w.
        hidden_dim: D.
        memory_dim: E.
        memory_frames: temporal positions; the last one is for conditioning frames.
        skip_levels: finer levels of the image encoder that the mask decoder sees, 0 or 2.
    """

    image_size: int
    grid: int
    hidden_dim: int
    memory_dim: int
    memory_frames: int
    skip_levels: int = 0

    @property
    def mask_size(self) -> int:
        """4h, side of the low-resolution masks."""
        return 4 * self.grid

    @property
    def skip_shapes(self) -> list[tuple[int, ...]]:
        """Of `EncodedImage.skips`."""
        return [
            (1, self.hidden_dim // 8 * 2**level, *[self.mask_size // 2**level] * 2)
            for level in range(self.skip_levels)
        ]


@dataclass(frozen=True)
class ModelTraits:
    """What a model does beside the stages; its configuration says so, by the model's name.

    Attributes:
        carries_masks: the decoder expects each object's mask of the frame before, moved along.
        proposes_masks: the decoder expects what colours say of a first click or box.
        answers_once: mask 0 is the only one that was trained.
        follows_edges: masks are drawn along the edges of the picture.
        checks_colours: masks are held against the colours of what was prompted.
        times_pointers: object pointers are read with how long ago each was.
    """

    carries_masks: bool = False
    proposes_masks: bool = False
    answers_once: bool = False
    follows_edges: bool = False
    checks_colours: bool = False
    times_pointers: bool = False


@dataclass(frozen=True, eq=False)
class StageConstants:
    """Learnt values that the tracker itself applies.

    Attributes:
        no_memory: (1, D, 1, 1) added to the feature of a frame that has no memory.
        mask_prompt_weight: (1, 1, k, k) convolution of stride k = S / 4h that makes the logits of
            a mask prompt.
        mask_prompt_bias: (1,).
        occluded_memory: (1, E, 1, 1) added to memories of frames on which the object was occluded;
            None for models that add nothing.
    """

    no_memory: Tensor
    mask_prompt_weight: Tensor
    mask_prompt_bias: Tensor
    occluded_memory: Tensor | None = None

    def mark_occlusion(self, memories: Tensor, object_score_logits: Tensor) -> Tensor:
        """Memories that say whether the object was there: (B, E, h, w), (B,) -> (B, E, h, w)."""
        if self.occluded_memory is None:
            return memories
        occluded = (object_score_logits <= 0)[:, None, None, None]
        return torch.where(occluded, memories + self.occluded_memory, memories)


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """What the image encoder makes of a picture.

    Attributes:
        feature: (1, D, h, w) float32.
        skips: what the mask decoder sees of finer levels, float32: (1, D / 8, 4h, 4w) and
            (1, D / 4, 2h, 2w); empty for models that have none.
    """

    feature: Tensor
    skips: tuple[Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class MemoryBatch:
    """The banks of B objects, padded to the longest.

    Attributes:
        memories: (B, M, E, h, w) float32.
        temporal_index: (B, M) int64: 0 for the frame just before, counting up with age,
            memory_frames - 1 for conditioning frames; -1 marks an empty slot.
        pointers: (B, R, D) float32.
        pointer_count: (B,) int64, pointers in use; they come first.
        lengths: memories and pointers in use of each object, known without asking the device;
            empty where whoever made the batch does not tell.
        pointer_ages: (B, R) float32, frames since each pointer; None for models that do not read
            them.
    """

    memories: Tensor
    temporal_index: Tensor
    pointers: Tensor
    pointer_count: Tensor
    lengths: tuple[tuple[int, int], ...] = ()
    pointer_ages: Tensor | None = None

    def known_lengths(self) -> tuple[tuple[int, int], ...]:
        """`lengths`; where they are not told, the device is asked and waited for."""
        if self.lengths:
            return self.lengths
        memories = (self.temporal_index >= 0).sum(dim=1).tolist()
        return tuple(zip(memories, self.pointer_count.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class DecodedMasks:
    """All four masks of B objects.

    Attributes:
        mask_logits: (B, 4, 4h, 4w) float32; mask 0 answers unambiguous prompts.
        iou_scores: (B, 4) float32 in 0..1.
        pointers: (B, 4, D) float32.
        object_score_logits: (B, 1) float32.
    """

    mask_logits: Tensor
    iou_scores: Tensor
    pointers: Tensor
    object_score_logits: Tensor


class Stages(ABC):
    """One model on one backend; a context manager that frees its device memory.

    Tensors go in and come out on `device`, in float32. Outputs belong to the caller, and so do
    inputs, which it may overwrite after the call.

    Attributes:
        name: what runs, for people.
        sizes: of the model.
        traits: of the model.
        constants: learnt values for the tracker, on `device`.
        device: where inputs are expected.
    """

    name: str
    sizes: StageSizes
    traits: ModelTraits
    constants: StageConstants
    device: torch.device

    def encode_image(self, image: Tensor) -> EncodedImage:
        """(1, 3, S, S) float32, normalised -> feature and skips."""
        sizes = self.sizes
        check("encode_image", "image", image, (1, 3, sizes.image_size, sizes.image_size))
        return self._encode_image(image)

    def attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        """(1, D, h, w) feature and B banks -> (B, D, h, w) conditioned features."""
        sizes = self.sizes
        grid = (sizes.grid, sizes.grid)
        batch, slots = bank.temporal_index.shape
        check("attend_memory", "feature", feature, (1, sizes.hidden_dim, *grid))
        check("attend_memory", "memories", bank.memories, (batch, slots, sizes.memory_dim, *grid))
        check("attend_memory", "pointers", bank.pointers, (batch, None, sizes.hidden_dim))
        check("attend_memory", "pointer_count", bank.pointer_count, (batch,))
        if self.traits.times_pointers:
            ages = bank.pointer_ages if bank.pointer_ages is not None else torch.empty(0)
            check("attend_memory", "pointer_ages", ages, tuple(bank.pointers.shape[:2]))
        return self._attend_memory(feature, bank)

    def decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None = None,
        skips: tuple[Tensor, ...] = (),
    ) -> DecodedMasks:
        """Decode all four masks of each object.

        Args:
            feature: (B, D, h, w), conditioned.
            points: (B, P, 2) float32, x and y in pixels of the network's input.
            labels: (B, P) int64, one of the POINT_ constants.
            mask_logits: (B, 1, 4h, 4w) previous logits of every object, or None.
            skips: of the frame, as encode_image gave them.
        """
        sizes = self.sizes
        batch = feature.shape[0]
        side = sizes.mask_size
        check("decode_mask", "feature", feature, (None, sizes.hidden_dim, sizes.grid, sizes.grid))
        check("decode_mask", "points", points, (batch, None, 2))
        check("decode_mask", "labels", labels, (batch, points.shape[1]))
        if mask_logits is not None:
            check("decode_mask", "mask_logits", mask_logits, (batch, 1, side, side))
        if len(skips) != sizes.skip_levels:
            raise StageError(
                f"stage decode_mask got {len(skips)} skips, expected the {sizes.skip_levels} "
                "that encode_image returned for the frame"
            )
        for skip, shape in zip(skips, sizes.skip_shapes, strict=True):
            check("decode_mask", "skips", skip, shape)
        return self._decode_mask(feature, points, labels, mask_logits, skips)

    def encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        """Make the memories of B objects on one frame.

        Args:
            feature: (1, D, h, w), as encode_image gave it.
            mask_logits: (B, 1, 4h, 4w).
            binarize: (B,) bool: True where the frame was prompted.

        Returns:
            (B, E, h, w).
        """
        sizes = self.sizes
        batch = mask_logits.shape[0]
        side = sizes.mask_size
        check("encode_memory", "feature", feature, (1, sizes.hidden_dim, sizes.grid, sizes.grid))
        check("encode_memory", "mask_logits", mask_logits, (None, 1, side, side))
        check("encode_memory", "binarize", binarize, (batch,))
        return self._encode_memory(feature, mask_logits, binarize)

    @abstractmethod
    def _encode_image(self, image: Tensor) -> EncodedImage: ...

    @abstractmethod
    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor: ...

    @abstractmethod
    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks: ...

    @abstractmethod
    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor: ...

    def check_serves(self, config: TrackerConfig) -> None:  # noqa: B027 (most serve everything)
        """Hold a configuration of the tracker against what the backend was built for.

        Raises:
            ConfigError: banks may grow longer than it takes.
        """

    def warm_up(self, objects: int) -> None:  # noqa: B027 (a backend may need none)
        """Get ready to follow up to so many objects, so that no frame waits for it later."""

    def close(self) -> None:  # noqa: B027 (a backend may hold nothing)
        """Free what the backend holds; the stages can be closed again, but not called."""

    def synchronize(self) -> None:
        """Wait until the device has finished, so that a clock can be read."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def __enter__(self) -> Stages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check(stage: str, name: str, tensor: Tensor, shape: tuple[int | None, ...]) -> None:
    """Raise StageError unless the tensor has that shape; None matches any length."""
    got = tuple(tensor.shape)
    fits = len(got) == len(shape) and all(
        want is None or have == want for have, want in zip(got, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise StageError(f"stage {stage} got {name} of shape {got}, expected ({wanted})")
