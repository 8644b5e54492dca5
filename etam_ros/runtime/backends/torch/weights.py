"""Weights by name: which there are, where they lie, how to get them, and who reads them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from etam_ros.errors import WeightsError
from etam_ros.model import (
    MODELS,
    PICTURE_MODELS,
    EfficientSAM,
    EfficientTAM,
    any_model_config,
    model_config,
)
from etam_ros.model.checkpoint import load_network, load_picture_network, random_seed
from etam_ros.model.config import ETAM_NANO, TINY_HIERA, TINY_PICTURES, TINY_TEST
from etam_ros.runtime.reachable import check_reachable

EFFICIENTTAM_REPOSITORY: Final = "yunyangx/efficient-track-anything"
SAM2_OWNER: Final = "facebook"
EFFICIENTSAM_REPOSITORY: Final = "https://github.com/yformer/EfficientSAM"
EFFICIENTSAM_FILES: Final = {
    "efficientsam_ti": "efficient_sam_vitt.pt",
    "efficientsam_s": "efficient_sam_vits.pt.zip",
}
"""In that repository, which the hub does not have: read as they are, the zip too."""
PARAMETERS: Final = {
    "etam_nano": 2_866_295,
    "efficienttam_s": 34_055_842,
    "efficienttam_ti": 17_866_018,
    "sam2.1_hiera_tiny": 38_962_498,
    "sam2.1_hiera_small": 46_060_354,
    "sam2.1_hiera_base_plus": 80_850_178,
    "sam2.1_hiera_large": 224_446_642,
    "sam2_hiera_tiny": 38_945_986,
    "sam2_hiera_small": 46_043_842,
    "sam2_hiera_base_plus": 80_833_666,
    "sam2_hiera_large": 224_430_130,
    "efficientsam_ti": 10_223_204,
    "efficientsam_s": 26_413_028,
}
"""By the beginning of the model's name."""
SHIPPED: Final = ETAM_NANO.name
UNTRAINED: Final = (TINY_TEST.name, TINY_HIERA.name, TINY_PICTURES.name)
_SHIPPED_FOLDER: Final = Path(__file__).resolve().parents[3] / "weights"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeightsEntry:
    """One model whose weights can be had by name.

    Attributes:
        name: of model and weights.
        image_size: S, pixels per side of the network's input.
        parameters: how many numbers the file holds.
        local_path: where the file lies on this machine, or None.
    """

    name: str
    image_size: int
    parameters: int
    local_path: Path | None


def model_names() -> list[str]:
    """Names of all models: of those that follow objects, then of those for pictures alone."""
    return [*MODELS, *PICTURE_MODELS]


def list_weights() -> list[WeightsEntry]:
    """All weights, with their place where they ship or have been downloaded."""
    return [
        WeightsEntry(
            name=name,
            image_size=config.image_size,
            parameters=next(n for start, n in PARAMETERS.items() if name.startswith(start)),
            local_path=_local(name),
        )
        for name, config in {**MODELS, **PICTURE_MODELS}.items()
        if not config.weights_of
    ]


def weights_file(name: str) -> Path:
    """The weights of a model: shipped, or downloaded.

    Raises:
        ConfigError: no model has that name.
        WeightsError: they have not been downloaded.
    """
    any_model_config(name)
    path = _local(name)
    if path is None and name == SHIPPED:
        raise WeightsError(
            f"weights of {name} are missing in {_SHIPPED_FOLDER}, although they ship with "
            "etam_ros: install the package again"
        )
    if path is None:
        raise WeightsError(
            f"weights of {name} are not installed on this machine: run `etam weights get "
            f"{name}`, or give a file with --weights (`weights` in Python and as parameter of "
            "the node)"
        )
    return path


def download_weights(name: str) -> Path:
    """Download the weights of an official model into the cache of huggingface_hub or torch.hub.

    Returns:
        the file; at once for weights that ship with the package.

    Raises:
        ConfigError: no model has that name.
        WeightsError: the download failed.
    """
    any_model_config(name)
    if name == SHIPPED:
        return weights_file(name)
    found = _local(name)
    if found is not None:  # official weights do not change
        return found
    try:
        check_reachable(address_of(name))
        if name in EFFICIENTSAM_FILES:
            return _download_from_github(_filename(name), address_of(name))
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(repository_of(name), _filename(name)))
    except Exception as error:  # the hubs raise their own, the network's and the disk's types
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise WeightsError(
            f"weights of {name} could not be downloaded ({reason}): check the network, or fetch "
            f"{address_of(name)} on another machine, copy it here and pass it with --weights"
        ) from error


def resolve_weights(model: str, weights: str) -> str:
    """What `load_network` shall read: a given path or seed, or the model's own file.

    Raises:
        ConfigError: no model has that name, or it follows nothing.
        WeightsError: its own file is not here.
    """
    model_config(model)
    return resolve_any_weights(model, weights)


def resolve_any_weights(model: str, weights: str) -> str:
    """The same for all models, also those for pictures alone."""
    if not weights:
        return str(weights_file(model))
    if random_seed(weights) is not None and model not in UNTRAINED:
        logger.warning(
            "weights are %s: untrained, the masks mean nothing; for tests and speed only", weights
        )
    return weights


def repository_of(name: str) -> str:
    """Where the weights of an official model lie: on the Hugging Face hub, or a whole address."""
    weights = any_model_config(name).weights_name
    if weights in EFFICIENTSAM_FILES:
        return EFFICIENTSAM_REPOSITORY
    if weights.startswith("sam2"):
        return f"{SAM2_OWNER}/{weights.replace('_', '-')}"
    return EFFICIENTTAM_REPOSITORY


def address_of(name: str) -> str:
    """From where the weights of an official model are downloaded."""
    if name in EFFICIENTSAM_FILES:
        return f"{EFFICIENTSAM_REPOSITORY}/raw/main/weights/{_filename(name)}"
    from huggingface_hub import hf_hub_url

    return hf_hub_url(repository_of(name), _filename(name))


def _filename(name: str) -> str:
    if name in EFFICIENTSAM_FILES:
        return EFFICIENTSAM_FILES[name]
    return f"{any_model_config(name).weights_name}.{'safetensors' if name == SHIPPED else 'pt'}"


def _local(name: str) -> Path | None:
    if name == SHIPPED:
        path = _SHIPPED_FOLDER / _filename(name)
        return path if path.is_file() else None
    if name in EFFICIENTSAM_FILES:
        path = _github_cache() / _filename(name)
        return path if path.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository_of(name), _filename(name))
    return Path(found) if isinstance(found, str) else None


def _github_cache() -> Path:
    """Where torch.hub keeps checkpoints: under TORCH_HOME, else the user's cache."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _download_from_github(filename: str, address: str) -> Path:
    """A file of EfficientSAM's repository, which appears under its name once it is whole."""
    path = _github_cache() / filename
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(path), progress=False)
    return path


def open_picture_network(model: str, weights: str) -> EfficientSAM:
    """A network of EfficientSAM's kind with its weights, in float32 on the CPU.

    Raises:
        ConfigError, WeightsError: as `open_stages`.
    """
    return load_picture_network(any_model_config(model), resolve_any_weights(model, weights))


class NetworkSource:
    """A model's network, whose weights are read when it is first asked for, and once.

    Args:
        model, weights: as in `open_stages`.
    """

    def __init__(self, model: str, weights: str) -> None:
        self.model, self.weights = model, weights

    @property
    def trained(self) -> bool:
        """Whether its masks mean anything."""
        return random_seed(self.weights) is None

    @cached_property
    def weights_hash(self) -> str:
        """sha256 over the weights' names, shapes, types and values.

        Raises:
            ConfigError, WeightsError: as `open_stages`.
        """
        return hash_weights(self._network.state_dict())

    def copy(self) -> EfficientTAM:
        """The network in float32 on the CPU, for the caller to change.

        Raises:
            ConfigError, WeightsError: as `open_stages`.
        """
        return deepcopy(self._network)

    def take(self) -> EfficientTAM:
        """`copy`, for whoever asks last: whoever asks later waits for weights to be read again."""
        network = self._network
        del self._network
        return network

    @cached_property
    def _network(self) -> EfficientTAM:
        weights = resolve_weights(self.model, self.weights)
        return load_network(model_config(self.model), weights)


def hash_weights(state: Mapping[str, Tensor]) -> str:
    """sha256 over names, shapes, types and values of a state dict."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
        digest.update(value.view(torch.uint8).numpy().tobytes() if value.ndim else b"")
    return digest.hexdigest()
