"""EfficientTAM in PyTorch: one part of the network, one class, one file.

Module names follow the official state dict, so that official checkpoints load unchanged.
"""

from etam_ros.model.config import MODELS, ModelConfig, model_config
from etam_ros.model.network import EfficientTAM

__all__ = ["MODELS", "EfficientTAM", "ModelConfig", "model_config"]
