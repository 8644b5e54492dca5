"""Sizes of the network: ours, EfficientTAM's, SAM 2's, and any other that is consistent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from etam_ros.errors import ConfigError
from etam_ros.model.hiera.config import SIZES, HieraConfig

POOLINGS: Final = ("none", "logits", "keys")


@dataclass(frozen=True)
class ModelConfig:
    """What it takes to build one network.

    Attributes:
        name: name by which users ask for it.
        image_size: S, side of the square input in pixels.
        embed_dim: C, channels of the ViT.
        heads: attention heads of the ViT.
        patch_size: pixels per side of a cell of the feature; a power of two, at least 4.
        depth: blocks of the ViT.
        window_size: tokens per window side in the blocks that are not global.
        global_blocks: blocks that attend to the whole grid; the last block must be one.
        mlp_ratio: hidden width of the ViT's MLPs over embed_dim.
        position_grid: side of the grid that the position embedding is stored for.
        hiera: SAM 2's image encoder in place of the ViT, of which nothing counts then but
            patch_size; the mask decoder sees two finer levels of it, too.
        hidden_dim: channels of feature, tokens and pointers.
        memory_dim: channels of a stored memory; divides hidden_dim.
        memory_layers: layers of the memory attention.
        memory_ffn_dim: hidden width of its feed-forward parts.
        memory_frames: temporal positions of memories, conditioning frames included.
        memory_pooling: none, or 2 x 2 pooling of the cross-attention's spatial keys and values
            with ln 4 added to the attention logits (variant 1) or to the keys (variant 2).
        times_pointers: object pointers are read with how long ago each was.
        marks_occlusion: memories of frames on which the object was occluded say so.
        decoder_depth, decoder_heads, decoder_mlp_dim: of the mask decoder's transformer.
        carries_masks: the decoder sees each object's mask of the frame before, moved as the
            picture has moved and fitted to its colours (`etam_ros.cues.optical_flow`); the
            official models follow by memories alone.
        proposes_masks: the decoder sees what colours say of a first click or box
            (`etam_ros.cues.proposals`); the official models see the prompt alone.
        answers_once: mask 0 answers every prompt and every frame; the official models choose
            among the other three where a prompt can mean several things.
        follows_edges: masks are drawn at the size of its input, along the edges of the picture
            (`etam_ros.cues.guided_filter`); those of the official models are resized.
        checks_colours: masks are held against the colours of what was prompted, which has a say
            in whether the object is in view, and in where it is found again
            (`etam_ros.tracking.presence`); the official models go by their object score.
        weights_of: name of the model whose weights it runs, if not its own.

    Raises:
        ConfigError: the sizes do not fit each other.
    """

    name: str
    image_size: int
    embed_dim: int = 0
    heads: int = 1
    patch_size: int = 16
    depth: int = 12
    window_size: int = 14
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    mlp_ratio: int = 4
    position_grid: int = 14
    hiera: HieraConfig | None = None
    hidden_dim: int = 256
    memory_dim: int = 64
    memory_layers: int = 4
    memory_ffn_dim: int = 2048
    memory_frames: int = 7
    memory_pooling: str = "none"
    times_pointers: bool = False
    marks_occlusion: bool = False
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048
    carries_masks: bool = False
    proposes_masks: bool = False
    answers_once: bool = False
    follows_edges: bool = False
    checks_colours: bool = False
    weights_of: str = ""

    def __post_init__(self) -> None:
        rules = {
            "patch_size is a power of two of at least 4": (
                self.patch_size >= 4 and self.patch_size & (self.patch_size - 1) == 0
            ),
            "image_size is a multiple of patch_size": self.image_size % self.patch_size == 0,
            "embed_dim is a multiple of heads": self.embed_dim % self.heads == 0,
            "embed_dim is given, or hiera": self.embed_dim > 0 or self.hiera is not None,
            "the last block is global": (
                self.hiera is not None or self.depth - 1 in self.global_blocks
            ),
            "hidden_dim is a multiple of memory_dim": self.hidden_dim % self.memory_dim == 0,
            "memory_dim is a multiple of 4": self.memory_dim % 4 == 0,
            "hidden_dim is a multiple of 8 and of twice decoder_heads": (
                self.hidden_dim % 8 == 0 and self.hidden_dim % (2 * self.decoder_heads) == 0
            ),
            f"memory_pooling is one of {', '.join(POOLINGS)}": self.memory_pooling in POOLINGS,
            "a pooled grid is even": self.memory_pooling == "none" or self.grid % 2 == 0,
            "memory_frames is at least 1": self.memory_frames >= 1,
        }
        if self.hiera is not None:
            rules["patch_size is 16 with Hiera"] = self.patch_size == 16
            rules |= self.hiera.rules(self.image_size)
        for rule, holds in rules.items():
            if not holds:
                raise ConfigError(f"model {self.name!r} does not fit: expected that {rule}")

    @property
    def weights_name(self) -> str:
        """Under which its weights are known."""
        return self.weights_of or self.name

    @property
    def skip_levels(self) -> int:
        """How many levels of the image encoder the mask decoder sees beside the feature."""
        return 0 if self.hiera is None else 2

    @property
    def grid(self) -> int:
        """h = w, tokens per side of the feature grid."""
        return self.image_size // self.patch_size

    @property
    def mask_size(self) -> int:
        """4h, side of the low-resolution masks."""
        return 4 * self.grid


def _efficienttam() -> dict[str, ModelConfig]:
    models = {}
    for size, (embed_dim, heads) in {"s": (384, 6), "ti": (192, 3)}.items():
        for suffix, image_size, pooling in (
            ("", 1024, "none"),
            ("_1", 1024, "logits"),
            ("_2", 1024, "keys"),
            ("_512x512", 512, "none"),
        ):
            name = f"efficienttam_{size}{suffix}"
            config = ModelConfig(name, image_size, embed_dim, heads, memory_pooling=pooling)
            models[name] = config
            if pooling == "none":
                pooled = replace(
                    config, name=f"{name}_pooled", memory_pooling="logits", weights_of=name
                )
                models[pooled.name] = pooled
    return models


def _sam2() -> dict[str, ModelConfig]:
    models = {}
    for version, times_and_marks in (("sam2.1", True), ("sam2", False)):
        for size, hiera in SIZES.items():
            config = ModelConfig(
                f"{version}_hiera_{size}",
                image_size=1024,
                hiera=hiera,
                times_pointers=times_and_marks,
                marks_occlusion=times_and_marks,
            )
            smaller = replace(
                config, name=f"{config.name}_512x512", image_size=512, weights_of=config.name
            )
            models[config.name], models[smaller.name] = config, smaller
    return models


def _efficientsam() -> dict[str, ModelConfig]:
    """No windows: every block is global."""
    return {
        f"efficientsam_{size}": ModelConfig(
            f"efficientsam_{size}", 1024, embed_dim, heads, global_blocks=tuple(range(12))
        )
        for size, (embed_dim, heads) in {"ti": (192, 3), "s": (384, 6)}.items()
    }


ETAM_NANO: Final = ModelConfig(
    "etam_nano",
    image_size=224,
    embed_dim=128,
    heads=2,
    patch_size=8,
    depth=5,
    window_size=7,
    global_blocks=(2, 4),
    hidden_dim=128,
    memory_dim=64,
    memory_layers=2,
    memory_ffn_dim=512,
    memory_frames=2,
    decoder_mlp_dim=512,
    carries_masks=True,
    proposes_masks=True,
    answers_once=True,
    follows_edges=True,
    checks_colours=True,
)
"""Our own small model, whose weights ship with the package."""

MODELS: Final[Mapping[str, ModelConfig]] = {
    ETAM_NANO.name: ETAM_NANO,
    **_efficienttam(),
    **_sam2(),
}
"""Those that follow objects: ours; EfficientTAM's, and these with pooled attention; SAM 2's, and
these at 512 pixels."""

PICTURE_MODELS: Final[Mapping[str, ModelConfig]] = _efficientsam()
"""Those that segment single pictures alone: EfficientSAM's, of whose configuration what concerns
memories does not count."""

TINY_TEST: Final = ModelConfig(
    "tiny_test",
    image_size=128,
    embed_dim=32,
    heads=2,
    depth=2,
    window_size=3,
    global_blocks=(1,),
    hidden_dim=64,
    memory_dim=16,
    memory_layers=2,
    memory_ffn_dim=128,
    decoder_mlp_dim=128,
)
"""A network of a few milliseconds, for tests of everything above it; never trained."""

TINY_HIERA: Final = replace(
    TINY_TEST,
    name="tiny_hiera_test",
    embed_dim=0,
    heads=1,
    hiera=HieraConfig(16, 1, (1, 1, 2, 1), (8, 4, 6, 3), global_blocks=(3,), position_grid=5),
    times_pointers=True,
    marks_occlusion=True,
)
"""The same with all that SAM 2.1 has more."""


TINY_PICTURES: Final = replace(TINY_TEST, name="tiny_pictures_test", global_blocks=(0, 1))
"""A small network of EfficientSAM's kind, for the same."""


def model_config(name: str) -> ModelConfig:
    """The configuration of a model that follows objects.

    Raises:
        ConfigError: no model has that name, and the message suggests the closest; or it segments
            single pictures alone.
    """
    config = any_model_config(name)
    if segments_pictures_alone(config):
        raise ConfigError(
            f"model is {name!r}, which segments single pictures and cannot track: use it with "
            "`etam segment`, or choose another model, such as efficienttam_ti_512x512"
        )
    return config


def any_model_config(name: str) -> ModelConfig:
    """The configuration of that name; of what it does see `segments_pictures_alone`.

    Raises:
        ConfigError: no model has that name; the message suggests the closest.
    """
    for config in (TINY_TEST, TINY_HIERA, TINY_PICTURES):
        if name == config.name:
            return config
    known = {**MODELS, **PICTURE_MODELS}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f", did you mean {close[0]}?" if close else ""
    raise ConfigError(f"model is {name!r}, expected one of {', '.join(known)}{hint}")


def segments_pictures_alone(config: ModelConfig) -> bool:
    """Whether it is of EfficientSAM's kind, which remembers nothing."""
    return config.name in PICTURE_MODELS or config is TINY_PICTURES
