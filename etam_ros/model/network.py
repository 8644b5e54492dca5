"""The whole network: its parts, and the four stages that the tracker calls.

Letters: B objects, S image side, h = w feature grid, D hidden dim, E memory dim, M memory frames,
R object pointers, P points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model.config import ModelConfig
from etam_ros.model.hiera.encoder import HieraEncoder
from etam_ros.model.image_encoder import ImageEncoder
from etam_ros.model.layers import MLP
from etam_ros.model.mask_decoder import MaskDecoder
from etam_ros.model.memory_attention import MemoryAttention
from etam_ros.model.memory_encoder import MemoryEncoder
from etam_ros.model.positions import HalvedLinear, sine_of_numbers
from etam_ros.model.prompt_encoder import PromptEncoder

MEMORY_SCALE: Final = 20.0
MEMORY_BIAS: Final = -10.0
OLDEST_POINTER: Final = 15.0
"""Frames by which the age of a pointer is divided, whatever the length of the video."""


class EfficientTAM(nn.Module):
    """EfficientTAM, for inference and training; and SAM 2, which has the same parts and some more.

    Source: arXiv 2411.18933 and yformer/EfficientTAM (Apache-2.0); arXiv 2408.00714 and
    facebookresearch/sam2 (Apache-2.0).

    Its methods are the stages, of which attending to memories has two halves; the state between
    frames belongs to the tracker.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, memory_dim = config.hidden_dim, config.memory_dim
        self.config = config
        self.image_encoder = image_encoder_of(config)
        self.memory_attention = MemoryAttention(config)
        self.memory_encoder = MemoryEncoder(config)
        self.sam_prompt_encoder = PromptEncoder(config)
        self.sam_mask_decoder = MaskDecoder(config)
        self.obj_ptr_proj = MLP(dim, dim, dim, depth=3)
        stride = config.patch_size // 4
        self.mask_downsample = nn.Conv2d(1, 1, kernel_size=stride, stride=stride)
        self.maskmem_tpos_enc = nn.Parameter(torch.zeros(config.memory_frames, 1, 1, memory_dim))
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, dim))
        self.no_mem_pos_enc = nn.Parameter(torch.zeros(1, 1, dim))  # in checkpoints, never used
        self.no_obj_ptr = nn.Parameter(torch.zeros(1, dim))
        self.no_obj_embed_spatial = (
            nn.Parameter(torch.zeros(1, memory_dim)) if config.marks_occlusion else None
        )
        self.obj_ptr_tpos_proj = nn.Linear(dim, memory_dim) if config.times_pointers else None

    def fuse(self) -> EfficientTAM:
        """Do once what depends on the weights alone; the state dict is no checkpoint any more."""
        self.image_encoder.trunk.fuse_position_embedding()
        self.sam_prompt_encoder.fuse_grid_positions()
        for module in self.memory_attention.modules():
            if isinstance(module, HalvedLinear):
                module.fuse()
        return self

    def encode_image(self, image: Tensor) -> tuple[Tensor, ...]:
        """Encode a picture.

        Args:
            image: (B, 3, S, S), normalised.

        Returns:
            (B, D, h, w) feature; behind it, of models with finer levels, the skips of the mask
            decoder: (B, D / 8, 4h, 4w) and (B, D / 4, 2h, 2w).
        """
        feature, *finer = self.image_encoder.levels(image)
        return (feature, *self.sam_mask_decoder.project_skips(*finer)) if finer else (feature,)

    def self_attend(self, feature: Tensor) -> Tensor:
        """What all objects of a frame see of it before they remember anything.

        (B, D, h, w) -> (B, L, D).
        """
        return self.memory_attention.self_attend(feature)

    def cross_attend(
        self,
        seen: Tensor,
        memories: Tensor,
        temporal_index: Tensor,
        pointers: Tensor,
        empty: tuple[Tensor, Tensor] | None = None,
        pointer_ages: Tensor | None = None,
    ) -> Tensor:
        """Condition a frame on what is remembered of each object.

        Args:
            seen: (1 or B, L, D), from `self_attend`.
            memories: (B, M, E, h, w).
            temporal_index: (B, M) int64: 0 for the frame just before, counting up with age, and
                memory_frames - 1 for conditioning frames.
            pointers: (B, R, D).
            empty: (B, M) and (B, R) bool, slots that nothing may be read from; None: none is.
            pointer_ages: (B, R) float32, frames since each pointer; of models that read them.

        Returns:
            (B, D, h, w).
        """
        table = self.maskmem_tpos_enc[:, 0, 0].to(memories.dtype)
        temporal_position = table[temporal_index]  # (B, M, E)
        pointer_position = None
        if self.obj_ptr_tpos_proj is not None and pointer_ages is not None:
            ages = sine_of_numbers(pointer_ages / OLDEST_POINTER, pointers.shape[-1])
            pointer_position = self.obj_ptr_tpos_proj(ages).to(memories.dtype)  # (B, R, E)
        return self.memory_attention(  # type: ignore[no-any-return]
            seen, memories, temporal_position, pointers, empty, pointer_position
        )

    def decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decode all four masks of each object.

        Args:
            feature: (B, D, h, w), conditioned.
            points: (B, P, 2) float32 in pixels of the network's input.
            labels: (B, P) int64: -1 none, 0 background, 1 foreground, 2 and 3 box corners.
            mask_logits: (B, 1, 4h, 4w) previous logits of each object, or None.
            skips: of the frame, as `encode_image` gave them.

        Returns:
            mask logits (B, 4, 4h, 4w); IoU estimates (B, 4); pointers (B, 4, D), no_obj_ptr where
            the object score is not positive; object-score logits (B, 1).
        """
        encoder = self.sam_prompt_encoder
        sparse = encoder.embed_points(points, labels)
        dense = encoder.embed_mask(mask_logits)
        return self.decode_embedded(feature, sparse, dense, mask_logits, skips)

    def decode_embedded(
        self,
        feature: Tensor,
        sparse: Tensor,
        dense: Tensor,
        previous: Tensor | None,
        skips: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decode prompts that are embedded already; returns what `decode_mask` returns.

        Args:
            feature: (B, D, h, w), conditioned.
            sparse: (B, P, D) embedded points.
            dense: (B, D, h, w) or (1, D, 1, 1) embedded previous mask.
            previous: (B, 1, 4h, 4w) its logits, zeros where there is none, or None.
            skips: of the frame, as `encode_image` gave them.
        """
        positions = self.sam_prompt_encoder.grid_positions()
        decoded, iou_scores, tokens, object_score = self.sam_mask_decoder(
            feature, positions, sparse, dense, previous, skips
        )
        present = (object_score > 0)[:, None]  # (B, 1, 1)
        pointers = torch.where(present, self.obj_ptr_proj(tokens), self.no_obj_ptr)
        return decoded, iou_scores, pointers, object_score

    def encode_memory(
        self, feature: Tensor, mask_logits: Tensor, binarize: Tensor | bool
    ) -> Tensor:
        """Make a memory of each object.

        Args:
            feature: (1, D, h, w), as the image encoder gave it, unconditioned.
            mask_logits: (B, 1, 4h, 4w).
            binarize: (B,) bool, or one bool for all: prompted frames are remembered with a hard
                mask, tracked ones with a soft one.

        Returns:
            (B, E, h, w).
        """
        size = (self.config.image_size, self.config.image_size)
        logits = functional.interpolate(mask_logits, size=size, mode="bilinear")
        if isinstance(binarize, bool):
            mask = (logits > 0).to(logits.dtype) if binarize else logits.sigmoid()
        else:
            hard = (logits > 0).to(logits.dtype)
            mask = torch.where(binarize[:, None, None, None], hard, logits.sigmoid())
        mask = mask * MEMORY_SCALE + MEMORY_BIAS  # (B, 1, S, S)
        return self.memory_encoder(feature, mask)  # type: ignore[no-any-return]

    def mark_occlusion(self, memories: Tensor, object_score_logits: Tensor) -> Tensor:
        """Memories that say whether the object was there: (B, E, h, w), (B,) -> (B, E, h, w)."""
        if self.no_obj_embed_spatial is None:
            return memories
        occluded = (object_score_logits <= 0)[:, None, None, None]
        mark = self.no_obj_embed_spatial[:, :, None, None].to(memories.dtype)
        return torch.where(occluded, memories + mark, memories)


def image_encoder_of(config: ModelConfig) -> ImageEncoder | HieraEncoder:
    """The image encoder that a configuration asks for."""
    if config.hiera is None:
        return ImageEncoder(config)
    return HieraEncoder(config.hiera, config.image_size, config.hidden_dim)
