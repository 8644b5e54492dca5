"""The networks in PyTorch: one part of a network, one class, one file.

Module names follow the official state dict, so that official checkpoints load unchanged.
"""

from etam_ros.model.config import (
    MODELS,
    PICTURE_MODELS,
    ModelConfig,
    any_model_config,
    model_config,
)
from etam_ros.model.efficientsam.network import EfficientSAM
from etam_ros.model.network import EfficientTAM

__all__ = [
    "MODELS",
    "PICTURE_MODELS",
    "EfficientSAM",
    "EfficientTAM",
    "ModelConfig",
    "any_model_config",
    "model_config",
]
