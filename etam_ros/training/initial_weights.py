"""Initial weights of training: random ones, those of a model, of a file, or of another run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from etam_ros.config import DEFAULT_MODEL
from etam_ros.errors import WeightsError
from etam_ros.model import EfficientTAM, ModelConfig, model_config
from etam_ros.model.checkpoint import check_state_dict, read_state_dict
from etam_ros.training.config import TrainingConfig
from etam_ros.training.encoder_weights import (
    PART,
    encoder_in_efficientsam,
    fill_encoder,
    fitting_model,
)
from etam_ros.training.named_paths import initial_path
from etam_ros.training.outputs.checkpoints import load_checkpoint

EMBEDDING_STD: Final = 0.02
FIRST_GAMMA: Final = 0.1
"""Initial scale of the memory encoder's residual branches; official training starts far lower."""


def new_network(config: ModelConfig, *, size: int, seed: int) -> EfficientTAM:
    """An untrained network for pictures of the given size, determined by its arguments."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = EfficientTAM(replace(config, image_size=size))
        _initialise(network)
    return network


def resized(network: EfficientTAM, side: int) -> EfficientTAM:
    """A network for pictures of another side that shares the same parameters."""
    other = EfficientTAM(replace(network.config, image_size=side)).to(network.no_mem_embed.device)
    for name, parameter in network.named_parameters():
        owner, _, leaf = name.rpartition(".")
        other.get_submodule(owner).register_parameter(leaf, parameter)
    for name in network.state_dict().keys() - dict(network.named_parameters()).keys():
        owner, _, leaf = name.rpartition(".")
        other.get_submodule(owner).register_buffer(leaf, network.get_buffer(name))
    return other.train(network.training)


@torch.no_grad()
def _initialise(network: EfficientTAM) -> None:
    """Replace PyTorch's initial weights where needed: zeros, and the ViT's linear layers."""
    trunk = network.image_encoder.trunk
    embeddings = [
        *(value for name, value in trunk.named_parameters() if name.startswith("pos_embed")),
        network.maskmem_tpos_enc,
        network.no_mem_embed,
        network.no_mem_pos_enc,
        network.no_obj_ptr,
    ]
    if network.no_obj_embed_spatial is not None:
        embeddings.append(network.no_obj_embed_spatial)
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


@dataclass(frozen=True, eq=False)
class InitialWeights:
    """Weights to start from.

    Attributes:
        source: where they come from, for messages.
        weights: tensors by the names of the whole network; an encoder may use EfficientSAM's.
        model: the model that they belong to; empty if unknown.
        is_encoder: they contain an image encoder only.
    """

    source: str
    weights: Mapping[str, Tensor]
    model: str = ""
    is_encoder: bool = False


def initial_network(
    config: TrainingConfig, on_note: Callable[[str], None] = lambda _: None
) -> EfficientTAM:
    """The network that a run starts with.

    Args:
        on_note: called with a message that says which parts start with loaded weights.

    Raises:
        ConfigError: there is no model of that name.
        WeightsError: the weights of `config.init` cannot be read, or belong to another model.
        TrainingError: `config.init` is a run whose states are damaged.
    """
    initial = read_initial_weights(config.init) if config.init else None
    own = initial.model if initial is not None else ""
    model = model_config(config.model or own or DEFAULT_MODEL)
    network = new_network(model, size=config.size, seed=config.seed)
    if initial is not None and initial.is_encoder:
        on_note(fill_encoder(network, initial.weights, initial.source))
    elif initial is not None:
        _fill(network, initial)
    return network


def _fill(network: EfficientTAM, initial: InitialWeights) -> None:
    """Load weights into a network. Raises WeightsError if names or shapes differ."""
    expected = network.state_dict()
    check_state_dict(initial.weights, expected, source=initial.source, model=network.config.name)
    network.load_state_dict({name: value.float() for name, value in initial.weights.items()})


def read_initial_weights(init: str) -> InitialWeights:
    """Read the weights that `--init` names: a run's folder, a file, or an installed model.

    From EfficientSAM, the image encoder is read, which fits a model of EfficientTAM.

    Raises:
        ConfigError: it is none of these.
        WeightsError: it cannot be read.
        TrainingError: it is a run whose states are damaged.
    """
    path = initial_path(init)
    if path is not None and path.is_dir():
        found = load_checkpoint(path)
        if found is None:
            raise WeightsError(
                f"{path} holds no state of a training run, expected the folder of one, a weights "
                "file or the name of a model"
            )
        _, state = found
        return InitialWeights(init, state["average"]["weights"], state["model_name"])
    if path is not None:
        return _from_file(init, path, "")
    from etam_ros.runtime.backends.torch.weights import weights_file

    return _from_file(init, weights_file(init), init)


def _from_file(source: str, path: Path, model: str) -> InitialWeights:
    """The weights of a file, with the model's name if the file contains it."""
    metadata, weights = _metadata(path), read_state_dict(path)
    if encoder := encoder_in_efficientsam(weights):
        return InitialWeights(source, encoder, fitting_model(encoder), is_encoder=True)
    is_encoder = metadata.get("part") == PART.removesuffix(".")
    return InitialWeights(source, weights, model or metadata.get("model", ""), is_encoder)


def _metadata(path: Path) -> dict[str, str]:
    if path.suffix != ".safetensors":
        return {}
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except Exception:  # reading the tensors gives the full error
        return {}
