"""EfficientSAM: an image encoder without windows, and the answers to clicks and boxes.

Letters: Q queries, P points, S image side, h = w feature grid, D hidden dim.
"""

from __future__ import annotations

import re
from typing import Final

from torch import Tensor, nn

from etam_ros.model.config import ModelConfig
from etam_ros.model.efficientsam.mask_decoder import QueryDecoder
from etam_ros.model.efficientsam.prompt_encoder import QueryEncoder
from etam_ros.model.image_encoder import ImageEncoder

_NECK: Final = {"conv_1x1": 0, "norm_0": 1, "conv_3x3": 2, "norm_1": 3}
_OFFICIAL: Final = (
    (r"^(image_encoder)\.trunk\.", r"\1."),
    (r"^(image_encoder\.blocks\.\d+\.mlp)\.layers\.0", r"\1.fc1"),
    (r"^(image_encoder\.blocks\.\d+\.mlp)\.layers\.1", r"\1.fc2"),
    (r"^(mask_decoder\.transformer\.layers\.\d+\.mlp)\.layers\.0", r"\1.layers.0.0"),
    (r"^(mask_decoder\.transformer\.layers\.\d+\.mlp)\.layers\.1", r"\1.fc"),
    (r"^(mask_decoder\.(?:output_h|iou_p).*)\.layers\.([01])", r"\1.layers.\2.0"),
    (r"^(mask_decoder\.(?:output_h|iou_p).*)\.layers\.2", r"\1.fc"),
    (r"^(mask_decoder)\.output_upscaling\.([01])", r"\1.final_output_upscaling_layers.0.\2"),
    (r"^(mask_decoder)\.output_upscaling\.3", r"\1.final_output_upscaling_layers.1.0"),
    *((rf"^(image_encoder\.neck)\.convs\.0\.{ours}", rf"\1.{n}") for ours, n in _NECK.items()),
)
"""What the parts are called in checkpoints: patterns, and what stands in their place."""


class EfficientSAM(nn.Module):
    """EfficientSAM, for inference.

    Source: arXiv 2312.00863 and yformer/EfficientSAM (Apache-2.0).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config)
        self.prompt_encoder = QueryEncoder(config)
        self.mask_decoder = QueryDecoder(config)

    @staticmethod
    def official_name(name: str) -> str:
        """What an entry of the state dict is called in checkpoints."""
        for pattern, official in _OFFICIAL:
            name = re.sub(pattern, official, name)
        return name

    def encode_image(self, image: Tensor) -> Tensor:
        """(B, 3, S, S), normalised -> (B, D, h, w)."""
        return self.image_encoder(image)  # type: ignore[no-any-return]

    def answer(self, feature: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Answer queries, each by itself.

        Args:
            feature: (1, D, h, w), as `encode_image` gave it.
            points: (Q, P, 2) float32 in pixels of the network's input; six of them count.
            labels: (Q, P) int64: -1 none, 0 background, 1 foreground, 2 and 3 box corners.

        Returns:
            mask logits (Q, 3, 4h, 4w) and estimates of their IoU (Q, 3).
        """
        sparse = self.prompt_encoder(points, labels)  # (Q, 6, D)
        positions = self.prompt_encoder.grid_positions()
        return self.mask_decoder(feature, positions, sparse)  # type: ignore[no-any-return]
