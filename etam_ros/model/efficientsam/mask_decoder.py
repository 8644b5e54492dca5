"""EfficientSAM's mask decoder: SAM's two-way transformer, where tokens attend otherwise.

Source: yformer/EfficientSAM (Apache-2.0). Letters: Q queries, P points, T = 5 + P tokens, L =
h * w, D hidden dim.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from etam_ros.model.config import ModelConfig
from etam_ros.model.layers import MLP
from etam_ros.model.mask_decoder import MASKS, TwoWayBlock, TwoWayTransformer, logits_of_masks


class ResidualTwoWayBlock(TwoWayBlock):
    """A block whose tokens take their positions along, into what they give each other too."""

    def __init__(self, config: ModelConfig, first: bool) -> None:
        super().__init__(config, first)
        dim = config.hidden_dim
        self.mlp = MLP(dim, config.decoder_mlp_dim, dim, depth=2, gelu=True)

    def attend_among(self, tokens: Tensor, position: Tensor) -> Tensor:
        """Tokens to tokens: (Q, T, D) and their positions -> (Q, T, D)."""
        if not self.first:
            tokens = tokens + position
        return tokens + self.self_attn(tokens, tokens, tokens)  # type: ignore[no-any-return]


class QueryDecoder(nn.Module):
    """From the feature of a picture and embedded queries to three masks each."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.transformer = TwoWayTransformer(config, ResidualTwoWayBlock)
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(MASKS, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 4, 2, stride=2),
            nn.GroupNorm(1, dim // 4),  # over all pixels, too
            nn.GELU(),
            nn.ConvTranspose2d(dim // 4, dim // 8, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(dim, dim, dim // 8, depth=3, gelu=True) for _ in range(MASKS)
        )
        self.iou_prediction_head = MLP(dim, dim, MASKS, depth=3, gelu=True)

    def forward(
        self, feature: Tensor, feature_position: Tensor, sparse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode.

        Args:
            feature: (1, D, h, w).
            feature_position: (1, D, h, w).
            sparse: (Q, P, D) embedded points.

        Returns:
            mask logits (Q, 3, 4h, 4w), and estimates of their IoU (Q, 3), which are not bounded,
            in the model's own order. Its first mask, for unambiguous prompts, is never used.
        """
        own = torch.cat((self.iou_token.weight, self.mask_tokens.weight))
        own_tokens = own.expand(sparse.shape[0], -1, -1)  # (Q, 5, D)
        tokens = torch.cat((own_tokens, sparse), dim=1)  # (Q, T, D)
        image = feature.flatten(2).transpose(1, 2).expand(len(tokens), -1, -1)  # (Q, L, D)
        position = feature_position.flatten(2).transpose(1, 2)  # (1, L, D)
        tokens, image = self.transformer(tokens, image, position)
        upscaled = self.output_upscaling(image.transpose(1, 2).unflatten(2, feature.shape[-2:]))
        mask_tokens = tokens[:, 1 : 1 + MASKS]  # (Q, 4, D)
        mask_logits = logits_of_masks(self.output_hypernetworks_mlps, mask_tokens, upscaled)
        iou_scores = self.iou_prediction_head(tokens[:, 0])  # (Q, 4)
        return mask_logits[:, 1:], iou_scores[:, 1:]
