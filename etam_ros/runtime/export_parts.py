"""The graphs of a network: which there are, what each computes, and what may vary in it.

Five graphs make the four stages. `self_attend` is the part of the memory attention that all
objects of a frame share; `cross_attend` is the rest of it. A model with pooled attention has
`cross_attend_first` too: with a single memory nothing is pooled.

Banks are exact by their length, or, for runtimes that want fixed shapes, padded to any length with
the empty slots named. Inputs and outputs are float32 in every precision.

Letters: B objects, S image side, L = h * w tokens, D hidden dim, E memory dim, M memories, R
pointers, P points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from etam_ros.model import EfficientTAM
from etam_ros.model.config import ModelConfig
from etam_ros.runtime.backends.torch.stages import reduce_precision, sizes_of
from etam_ros.runtime.exported import CROSS_ATTEND, CROSS_ATTEND_FIRST, DECODED, PADDED, ExportKey
from etam_ros.runtime.stages import IN_FLOAT32


@dataclass(frozen=True)
class Graph:
    """What becomes one file.

    Attributes:
        name: of the file, without its suffix.
        module: what it computes.
        inputs: example tensors by name.
        outputs: names.
        free: names of the input dimensions that may have any length, by input.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    free: dict[str, dict[int, str]]


class _Part(nn.Module):
    """What one graph computes with a network, some of it in a reduced precision."""

    def __init__(self, network: EfficientTAM, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype


class _EncodeImage(_Part):
    """image (1, 3, S, S) -> feature (1, D, h, w), and the skips of models that have them."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(x.float() for x in self.network.encode_image(image.to(self.dtype)))


class _SelfAttend(_Part):
    """feature (1, D, h, w) -> seen (1, L, D)."""

    def forward(self, feature: Tensor) -> Tensor:
        return self.network.self_attend(feature.to(self.dtype)).float()


class _CrossAttend(_Part):
    """Seen and banks, of equal length or with empty slots -> conditioned (B, D, h, w)."""

    def forward(
        self,
        seen: Tensor,
        memories: Tensor,
        temporal_index: Tensor,
        pointers: Tensor,
        *,
        pointer_ages: Tensor | None = None,
        empty_memories: Tensor | None = None,
        empty_pointers: Tensor | None = None,
    ) -> Tensor:
        seen, memories, pointers = (x.to(self.dtype) for x in (seen, memories, pointers))
        empty = None
        if empty_memories is not None and empty_pointers is not None:
            empty = empty_memories, empty_pointers
        bank = memories, temporal_index, pointers, empty, pointer_ages
        return self.network.cross_attend(seen, *bank).float()


class _DecodeMask(_Part):
    """Feature and prompts -> masks, estimates, pointers, scores; always in float32.

    The previous logits count where `has_mask` is 1, and nothing does where it is 0.
    """

    def forward(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor,
        has_mask: Tensor,
        *,
        skip_0: Tensor | None = None,
        skip_1: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        encoder = self.network.sam_prompt_encoder
        present = has_mask[:, None, None, None] > 0
        dense = torch.where(present, encoder.embed_mask(mask_logits), encoder.embed_mask(None))
        sparse = encoder.embed_points(points, labels)
        previous = torch.where(present, mask_logits, 0.0)
        skips = () if skip_0 is None or skip_1 is None else (skip_0, skip_1)
        return self.network.decode_embedded(feature, sparse, dense, previous, skips)


class _EncodeMemory(_Part):
    """Feature (1, D, h, w) and logits (B, 1, 4h, 4w) -> memories (B, E, h, w); in float32."""

    def forward(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        return self.network.encode_memory(feature, mask_logits, binarize)


def graphs(network: EfficientTAM, precision: str, layout: str) -> list[Graph]:
    """The graphs of a network, which is fused and brought to the precision in place."""
    config = network.fuse().config
    dtype = reduce_precision(network, precision)
    side, grid, dim = config.image_size, config.grid, config.hidden_dim
    feature = torch.zeros(1, dim, grid, grid)
    skips = {
        f"skip_{level}": torch.zeros(shape)
        for level, shape in enumerate(sizes_of(network).skip_shapes)
    }
    logits = torch.zeros(2, 1, config.mask_size, config.mask_size)
    made = [
        Graph(
            "encode_image",
            _EncodeImage(network, dtype),
            {"image": torch.zeros(1, 3, side, side)},
            ("feature", *skips),
            {},
        ),
        Graph("self_attend", _SelfAttend(network, dtype), {"feature": feature}, ("seen",), {}),
        cross_attend_graph(CROSS_ATTEND, network, dtype, 3, layout),
        Graph(
            "decode_mask",
            _DecodeMask(network),
            {
                "feature": feature.repeat(2, 1, 1, 1),
                "points": torch.zeros(2, 3, 2),
                "labels": torch.zeros(2, 3, dtype=torch.int64),
                "mask_logits": logits,
                "has_mask": torch.zeros(2),
                **skips,
            },
            DECODED,
            {
                "feature": {0: "B"},
                "points": {0: "B", 1: "P"},
                "labels": {0: "B", 1: "P"},
                "mask_logits": {0: "B"},
                "has_mask": {0: "B"},
            },
        ),
        Graph(
            "encode_memory",
            _EncodeMemory(network),
            {
                "feature": feature,
                "mask_logits": logits,
                "binarize": torch.zeros(2, dtype=torch.bool),
            },
            ("memories",),
            {"mask_logits": {0: "B"}, "binarize": {0: "B"}},
        ),
    ]
    if config.memory_pooling != "none":
        made.append(cross_attend_graph(CROSS_ATTEND_FIRST, network, dtype, 1, layout))
    return made


def is_same_graph(name: str, key: ExportKey, other: ExportKey) -> bool:
    """Whether the graph of that name is the same in two exports.

    No precision reduces the stages that stay in float32, and banks, whose layout may differ, are
    read by cross-attention alone.
    """
    if name in IN_FLOAT32:
        other = replace(other, precision=key.precision)
    if name not in (CROSS_ATTEND, CROSS_ATTEND_FIRST):
        other = replace(other, layout=key.layout)
    return other == key


def cross_attend_graph(
    name: str, network: EfficientTAM, dtype: torch.dtype, memories: int, layout: str
) -> Graph:
    """The graph of cross-attention for any number of memories, or for one."""
    config: ModelConfig = network.config
    bank = {0: "B"} if memories == 1 else {0: "B", 1: "M"}
    inputs = {
        "seen": torch.zeros(1, config.grid**2, config.hidden_dim),
        "memories": torch.zeros(2, memories, config.memory_dim, config.grid, config.grid),
        "temporal_index": torch.zeros(2, memories, dtype=torch.int64),
        "pointers": torch.zeros(2, 5, config.hidden_dim),
    }
    free = {"memories": bank, "temporal_index": bank, "pointers": {0: "B", 1: "R"}}
    if config.times_pointers:
        inputs["pointer_ages"] = torch.zeros(2, 5)
        free["pointer_ages"] = free["pointers"]
    if layout == PADDED:
        inputs["empty_memories"] = torch.zeros(2, memories, dtype=torch.bool)
        inputs["empty_pointers"] = torch.zeros(2, 5, dtype=torch.bool)
        free |= {"empty_memories": bank, "empty_pointers": free["pointers"]}
    return Graph(name, _CrossAttend(network, dtype), inputs, ("conditioned",), free)
