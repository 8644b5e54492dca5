"""The teacher of pretraining: a frozen image encoder, and the targets made from its features.

Letters: B pictures, S side of the student's input in pixels, h = w the student's token grid,
L = h * w, D channels of the teacher's feature.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from etam_ros.model import any_model_config
from etam_ros.model.config import segments_pictures_alone
from etam_ros.model.hiera.encoder import HieraEncoder
from etam_ros.model.image_encoder import ImageEncoder
from etam_ros.training.data.batches import pictures_to_tensor

SMALLEST_DEVIATION = 1e-3


class FeatureTeacher(nn.Module):
    """A frozen image encoder with its features as targets for a student's grid.

    Each channel is standardised over a calibration set of pictures, so that all channels have the
    same weight, and an error of 1 is that of a student that always returns the mean.

    Args:
        channels: D.
        image_size: side of its input in pixels.
        grid: h = w of the student.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, encoder: ImageEncoder | HieraEncoder, channels: int, image_size: int, grid: int
    ) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self.image_size = image_size
        self.grid = grid
        self.channels = channels
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 -> (B, L, D), resized to the student's grid."""
        feature: Tensor = self.encoder(pictures_to_tensor(pictures, self.image_size)).float()
        if feature.shape[-1] != self.grid:
            size = (self.grid, self.grid)
            feature = functional.interpolate(feature, size=size, mode="bilinear", antialias=True)
        return feature.flatten(2).transpose(1, 2)

    def calibrate(self, pictures: Tensor) -> None:
        """Measure mean and standard deviation of each channel over pictures (B, H, W, 3) uint8."""
        features = torch.cat([self.features(picture[None]) for picture in pictures])
        self.mean.copy_(features.mean(dim=(0, 1)))
        deviation = features.std(dim=(0, 1))
        self.deviation.copy_(deviation.clamp_min(SMALLEST_DEVIATION))

    def forward(self, pictures: Tensor) -> Tensor:
        """Targets: (B, H, W, 3) uint8 -> (B, L, D), standardised."""
        return (self.features(pictures) - self.mean) / self.deviation


def load_teacher(model: str, weights: str, *, image_size: int | None, grid: int) -> FeatureTeacher:
    """Load the image encoder of any available model.

    Args:
        weights: path, random:SEED, or empty for the model's own weights.
        image_size: side of its input in pixels, or None for the model's own size.
        grid: h = w of the student.

    Raises:
        ConfigError: no such model, or it does not take that size.
        WeightsError: the weights are missing, damaged or for another model.
    """
    from etam_ros.model.checkpoint import load_network, load_picture_network
    from etam_ros.runtime.backends.torch.weights import resolve_any_weights

    config = any_model_config(model)
    alone = segments_pictures_alone(config)
    if image_size is not None:
        config = replace(config, image_size=image_size)
    file = resolve_any_weights(model, weights)
    network = load_picture_network(config, file) if alone else load_network(config, file)
    return FeatureTeacher(network.image_encoder, config.hidden_dim, config.image_size, grid)
