"""What training begins from: weights of its own, a model's, a file's, or another run's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from etam_ros.model import EfficientTAM, ModelConfig, model_config
from etam_ros.training.config import OWN_MODEL, TrainingConfig

EMBEDDING_STD = 0.02
FIRST_GAMMA = 0.1
"""Of the memory encoder's residual branches; official training begins far below."""


def new_network(config: ModelConfig, *, size: int, seed: int) -> EfficientTAM:
    """An untrained network for pictures of that size, a function of its arguments."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = EfficientTAM(replace(config, image_size=size))
        _initialise(network)
    return network


@torch.no_grad()
def _initialise(network: EfficientTAM) -> None:
    """Where PyTorch's own first weights will not do: zeros, and the ViT's linear layers."""
    trunk = network.image_encoder.trunk
    embeddings = [
        trunk.pos_embed,
        network.maskmem_tpos_enc,
        network.no_mem_embed,
        network.no_mem_pos_enc,
        network.no_obj_ptr,
    ]
    for embedding in embeddings:
        nn.init.trunc_normal_(embedding, std=EMBEDDING_STD)
    for module in trunk.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    for layer in network.memory_encoder.fuser.layers:
        nn.init.constant_(layer.get_parameter("gamma"), FIRST_GAMMA)
    positions = network.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix
    positions.normal_()


def load_weights(network: EfficientTAM, state: Mapping[str, Tensor]) -> None:
    """Fill a network with weights whose names and shapes are its own."""
    network.load_state_dict({name: value.float() for name, value in state.items()})


def first_network(config: TrainingConfig) -> EfficientTAM:
    """The network that a run begins with."""
    return new_network(model_config(config.model or OWN_MODEL), size=config.size, seed=config.seed)
