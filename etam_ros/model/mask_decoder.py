"""The mask decoder: tokens and the image attend to each other, and four masks come out.

Source: MaskDecoder and TwoWayTransformer of segment_anything and SAM 2 (Apache-2.0). Letters: B
objects, P prompt tokens, T = 6 + P tokens, L = h * w, D hidden dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from etam_ros.model.config import ModelConfig
from etam_ros.model.layers import MLP, Attention, LayerNorm, LayerNorm2d

MASKS: Final = 4
"""One mask for unambiguous prompts, and three for ambiguous ones."""
SOFT_LOGIT: Final = 4.0
"""Logit of a carried mask beyond which it hardly counts for more."""


class TwoWayBlock(nn.Module):
    """Tokens to tokens, tokens to image, MLP on tokens, image to tokens."""

    def __init__(self, config: ModelConfig, first: bool) -> None:
        super().__init__()
        dim, heads = config.hidden_dim, config.decoder_heads
        self.first = first
        self.self_attn = Attention(dim, heads)
        self.norm1 = LayerNorm(dim)
        self.cross_attn_token_to_image = Attention(dim, heads, inner_dim=dim // 2)
        self.norm2 = LayerNorm(dim)
        self.mlp = MLP(dim, config.decoder_mlp_dim, dim, depth=2)
        self.norm3 = LayerNorm(dim)
        self.norm4 = LayerNorm(dim)
        self.cross_attn_image_to_token = Attention(dim, heads, inner_dim=dim // 2)

    def forward(
        self, tokens: Tensor, image: Tensor, token_position: Tensor, image_position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, T, D) tokens and (B, L, D) image, with their positions -> the same, updated."""
        tokens = self.norm1(self.attend_among(tokens, token_position))
        q, k = tokens + token_position, image + image_position
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(q, k, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        q = tokens + token_position
        image = self.norm4(image + self.cross_attn_image_to_token(k, q, tokens))
        return tokens, image

    def attend_among(self, tokens: Tensor, position: Tensor) -> Tensor:
        """Tokens to tokens: (B, T, D) and their positions -> (B, T, D)."""
        if self.first:  # no position and no residual here, as trained
            return self.self_attn(tokens, tokens, tokens)  # type: ignore[no-any-return]
        q = tokens + position
        return tokens + self.self_attn(q, q, tokens)  # type: ignore[no-any-return]


class TwoWayTransformer(nn.Module):
    """Blocks, and a last attention of the tokens to the image."""

    def __init__(self, config: ModelConfig, block: type[TwoWayBlock] = TwoWayBlock) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.layers = nn.ModuleList(
            block(config, first=index == 0) for index in range(config.decoder_depth)
        )
        self.final_attn_token_to_image = Attention(dim, config.decoder_heads, inner_dim=dim // 2)
        self.norm_final_attn = LayerNorm(dim)

    def forward(
        self, tokens: Tensor, image: Tensor, image_position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, T, D), (B, L, D), (1, L, D) -> (B, T, D), (B, L, D)."""
        token_position = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_position, image_position)
        q, k = tokens + token_position, image + image_position
        tokens = self.norm_final_attn(tokens + self.final_attn_token_to_image(q, k, image))
        return tokens, image


class CarriedMask(nn.Module):
    """What the mask of the frame before adds at full resolution, past the tokens of patches."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.outline_conv = nn.Conv2d(1, dim // 8, 7, padding=3, bias=False)
        self.trust = nn.Linear(dim, 1)

    def outline(self, previous: Tensor) -> Tensor:
        """What is near which side of the outline: (B, 1, 4h, 4w) -> (B, D / 8, 4h, 4w)."""
        return self.outline_conv((previous / SOFT_LOGIT).tanh())  # type: ignore[no-any-return]

    def trusted(self, previous: Tensor, mask_tokens: Tensor) -> Tensor:
        """Logits as far as each mask trusts them: (B, 1, 4h, 4w), (B, 4, D) -> (B, 4, 4h, 4w)."""
        share = self.trust(mask_tokens)[..., None]  # (B, 4, 1, 1)
        return share * SOFT_LOGIT * (previous / SOFT_LOGIT).tanh()  # type: ignore[no-any-return]


class MaskDecoder(nn.Module):
    """From a conditioned feature and an embedded prompt to four masks with their estimates."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.transformer = TwoWayTransformer(config)
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(MASKS, dim)
        self.obj_score_token = nn.Embedding(1, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 4, 2, stride=2),
            LayerNorm2d(dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(dim // 4, dim // 8, 2, stride=2),
            nn.GELU(),
        )
        if config.skip_levels:
            self.conv_s0 = nn.Conv2d(dim, dim // 8, 1)
            self.conv_s1 = nn.Conv2d(dim, dim // 4, 1)
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(dim, dim, dim // 8, depth=3) for _ in range(MASKS)
        )
        self.carried = CarriedMask(dim) if config.carries_masks else None
        self.iou_prediction_head = MLP(dim, dim, MASKS, depth=3)
        self.pred_obj_score_head = MLP(dim, dim, 1, depth=3)

    def project_skips(self, finest: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """What is added while masks are upscaled, once a frame, in the decoder's precision.

        (B, D, 4h, 4w), (B, D, 2h, 2w) -> (B, D / 8, 4h, 4w), (B, D / 4, 2h, 2w).
        """
        dtype = self.conv_s0.weight.dtype
        return self.conv_s0(finest.to(dtype)), self.conv_s1(fine.to(dtype))

    def forward(
        self,
        feature: Tensor,
        feature_position: Tensor,
        sparse: Tensor,
        dense: Tensor,
        previous: Tensor | None = None,
        skips: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decode.

        Args:
            feature: (B, D, h, w).
            feature_position: (1, D, h, w).
            sparse: (B, P, D) embedded points.
            dense: (B, D, h, w) or (1, D, 1, 1) embedded previous mask.
            previous: (B, 1, 4h, 4w) its logits, of which models that carry masks take the outline;
                None, or zeros: there is none.
            skips: as `project_skips` gives them, of models whose image encoder has finer levels.

        Returns:
            mask logits (B, 4, 4h, 4w), IoU estimates (B, 4) in 0..1, mask tokens (B, 4, D) and
            object-score logits (B, 1).
        """
        own = (self.obj_score_token.weight, self.iou_token.weight, self.mask_tokens.weight)
        own_tokens = torch.cat(own).expand(sparse.shape[0], -1, -1)  # (B, 6, D)
        tokens = torch.cat((own_tokens, sparse), dim=1)  # (B, T, D)
        image = (feature + dense).flatten(2).transpose(1, 2)  # (B, L, D)
        position = feature_position.flatten(2).transpose(1, 2)  # (1, L, D)
        tokens, image = self.transformer(tokens, image, position)
        mask_tokens = tokens[:, 2 : 2 + MASKS]  # (B, 4, D)
        upscaled = image.transpose(1, 2).unflatten(2, feature.shape[-2:])
        upscaled = self._upscale(upscaled, previous, skips)
        mask_logits = logits_of_masks(self.output_hypernetworks_mlps, mask_tokens, upscaled)
        if self.carried is not None and previous is not None:
            mask_logits = mask_logits + self.carried.trusted(previous, mask_tokens)
        iou_scores = self.iou_prediction_head(tokens[:, 1]).sigmoid()
        return mask_logits, iou_scores, mask_tokens, self.pred_obj_score_head(tokens[:, 0])

    def _upscale(self, image: Tensor, previous: Tensor | None, skips: Sequence[Tensor]) -> Tensor:
        """(B, D, h, w) -> (B, D / 8, 4h, 4w): skips go in before the norm and before the end."""
        first, norm, middle, second, last = self.output_upscaling
        image = first(image)
        if skips:
            image = image + skips[1]
        image = second(middle(norm(image)))
        if skips:
            image = image + skips[0]
        if self.carried is not None and previous is not None:
            image = image + self.carried.outline(previous)
        return last(image)  # type: ignore[no-any-return]


def logits_of_masks(hypernetworks: nn.ModuleList, mask_tokens: Tensor, upscaled: Tensor) -> Tensor:
    """What each mask token weighs the channels of the picture with.

    Args:
        hypernetworks: one for each mask.
        mask_tokens: (B, 4, D).
        upscaled: (B, D / 8, 4h, 4w).

    Returns:
        (B, 4, 4h, 4w).
    """
    weights = torch.stack(
        [mlp(mask_tokens[:, index]) for index, mlp in enumerate(hypernetworks)], dim=1
    )  # (B, 4, D / 8)
    mask_logits = weights @ upscaled.flatten(2)  # (B, 4, 16 * L)
    return mask_logits.reshape(-1, MASKS, *upscaled.shape[-2:])
