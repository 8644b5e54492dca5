"""Loading an image encoder's weights into a complete network.

EfficientTAM's training starts from the encoder of EfficientSAM (arXiv 2411.18933, section 4),
whose ViT and neck are the same except for windows, which have no weights; or from one that
`etam pretrain` wrote. Letters: C channels of the ViT, n side of the stored position grid.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from etam_ros.errors import WeightsError
from etam_ros.model import MODELS, EfficientSAM, EfficientTAM, ModelConfig
from etam_ros.model.checkpoint import check_state_dict
from etam_ros.model.image_encoder import ImageEncoder

PART: Final = "image_encoder."
"""Prefix of the names, in the whole network and in checkpoints of EfficientSAM."""
_NECK: Final = f"{PART}neck."
_POSITIONS: Final = f"{PART}trunk.pos_embed"
_PATCHES: Final = f"{PART}trunk.patch_embed.proj.weight"
_BLOCK: Final = re.compile(r"image_encoder\.(?:trunk\.)?blocks\.([0-9]+)\.")
"""Also matches blocks that the network does not have, because it has fewer."""
_OTHER_PARTS: Final = "memory attention, memory encoder, prompt encoder and mask decoder"


def encoder_in_efficientsam(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The image encoder of a checkpoint with the names of EfficientSAM; empty for other names."""
    if EfficientSAM.official_name(_PATCHES) not in state:
        return {}
    return {name: value for name, value in state.items() if name.startswith(PART)}


def fitting_model(weights: Mapping[str, Tensor]) -> str:
    """Name of the first model with exactly this image encoder; empty if there is none."""
    shapes = {name: value.shape for name, value in weights.items()}
    for config in MODELS.values():
        if config.hiera is not None or config.weights_of:
            continue
        with torch.device("meta"):
            own = ImageEncoder(config).state_dict()
        named = {f"{PART}{name}": value.shape for name, value in own.items()}
        official = {EfficientSAM.official_name(name): shape for name, shape in named.items()}
        if shapes in (named, official):
            return config.name
    return ""


def fill_encoder(network: EfficientTAM, weights: Mapping[str, Tensor], source: str) -> str:
    """Load an image encoder's weights into a network, and leave the rest of it unchanged.

    A position embedding for another grid is resized in the same way as by the ViT; a neck of
    another size is left out.

    Args:
        weights: with the network's names, or with those of EfficientSAM.
        source: where they come from, for messages.

    Returns:
        a sentence that says which parts start with these weights, and which do not.

    Raises:
        WeightsError: blocks, channels or patches differ, or a tensor is missing or unknown.
    """
    config = network.config
    if not isinstance(network.image_encoder, ImageEncoder):
        raise WeightsError(
            f"{source} holds a plain ViT, and the image encoder of {config.name} is Hiera: "
            "start from weights of SAM 2, or use a --model with a plain ViT, such as "
            "efficienttam_ti"
        )
    own = {name: value for name, value in network.state_dict().items() if name.startswith(PART)}
    names = {EfficientSAM.official_name(name): name for name in own}
    found = {names.get(name, name): value.float() for name, value in weights.items()}
    _check_trunk(found, config, source)
    words = [f"the image encoder of {config.name} begins from {source}"]
    necks = [
        {name: value.shape for name, value in each.items() if name.startswith(_NECK)}
        for each in (found, own)
    ]
    if necks[0] != necks[1]:
        found = {name: value for name, value in found.items() if not name.startswith(_NECK)}
        own = {name: value for name, value in own.items() if not name.startswith(_NECK)}
        words.append("its neck, which has other sizes there, does not")
    sides = [_position_side(each.get(_POSITIONS)) for each in (found, own)]
    if sides[0] != sides[1] and all(sides):
        found[_POSITIONS] = _resized_positions(found[_POSITIONS], *sides)
        words.append(
            f"its position embedding is resized from {sides[0]} x {sides[0]} to {sides[1]} x "
            f"{sides[1]}"
        )
    check_state_dict(found, own, source=source, model=f"the image encoder of {config.name}")
    network.load_state_dict(found, strict=False)
    return "; ".join([*words, f"{_OTHER_PARTS} begin untrained"])


def _check_trunk(weights: Mapping[str, Tensor], config: ModelConfig, source: str) -> None:
    """Explain where a ViT has another size; individual tensors are checked later."""
    patches = weights.get(_PATCHES)
    if patches is None or patches.ndim != 4:
        return
    blocks = {number[1] for name in weights if (number := _BLOCK.match(name))}
    found = len(blocks), patches.shape[0], patches.shape[-1]
    expected = config.depth, config.embed_dim, config.patch_size
    if found == expected:
        return
    has, needs = (
        f"{depth} blocks of {channels} channels on patches of {side} px"
        for depth, channels, side in (found, expected)
    )
    fits = fitting_model(weights)
    hint = f"take --model {fits}" if fits else "begin from an encoder of the same sizes"
    raise WeightsError(
        f"the image encoder of {source} has {has}, that of {config.name} {needs}: {hint}"
    )


def _position_side(positions: Tensor | None) -> int:
    """n of an embedding (1, n * n + 1, C), which starts with a class token; 0 for other shapes."""
    if positions is None or positions.ndim != 3:
        return 0
    side = math.isqrt(max(0, positions.shape[1] - 1))
    return side if side * side + 1 == positions.shape[1] else 0


def _resized_positions(positions: Tensor, before: int, after: int) -> Tensor:
    """(1, before ** 2 + 1, C) -> (1, after ** 2 + 1, C), bicubic."""
    grid = positions[:, 1:].reshape(1, before, before, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(after, after), mode="bicubic", align_corners=False)
    return torch.cat((positions[:, :1], grid.flatten(2).transpose(1, 2)), dim=1)
