"""Weights from files of the official layout, strictly checked, and random ones for tests."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from etam_ros.errors import WeightsError
from etam_ros.model.config import MODELS, PICTURE_MODELS, ModelConfig
from etam_ros.model.efficientsam.network import EfficientSAM
from etam_ros.model.network import EfficientTAM

SHOWN_KEYS = 3
LARGEST_WEIGHT = 1e5
"""Of a network that was trained; those of all official ones stay below a hundred."""
PLAIN_NUMBERS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
"""Of which weights may be; those of fewer bits cannot even be compared."""
OBJECT_SCORE_BIAS = "sam_mask_decoder.pred_obj_score_head.layers.2.bias"

Network = TypeVar("Network", EfficientTAM, EfficientSAM)


def load_network(config: ModelConfig, weights: str) -> EfficientTAM:
    """Build a network that follows objects, and fill it.

    Args:
        config: which network.
        weights: path of a .pt, .pth or .safetensors file, or random:SEED.

    Returns:
        the network in float32 on the CPU, in evaluation mode, without gradients.

    Raises:
        WeightsError: the file is missing, unreadable, or not exactly this network's state dict.
    """
    return _filled(EfficientTAM(config), weights)


def load_picture_network(config: ModelConfig, weights: str) -> EfficientSAM:
    """The same of EfficientSAM's kind; see `load_network`."""
    return _filled(EfficientSAM(config), weights)


def _filled(network: Network, weights: str) -> Network:
    """With the weights of a file, or of a seed."""
    seed = random_seed(weights)
    expected = official_state_dict(network)
    if seed is not None:
        state = random_state_dict(network, seed)
    else:
        state = read_state_dict(Path(weights))
        check_state_dict(state, expected, source=weights, model=network.config.name)
    own = zip(network.state_dict(), expected, strict=True)
    network.load_state_dict({name: state[official] for name, official in own})
    return network.eval().requires_grad_(False)


def official_state_dict(network: EfficientTAM | EfficientSAM) -> dict[str, Tensor]:
    """The state dict under the names of official checkpoints, in its own order."""
    state = network.state_dict()
    if isinstance(network, EfficientSAM):
        return {network.official_name(name): value for name, value in state.items()}
    return dict(state)


def random_seed(weights: str) -> int | None:
    """The seed of `random:SEED`; None when `weights` is a path.

    Raises:
        WeightsError: the seed is not a non-negative integer.
    """
    if not weights.startswith("random:"):
        return None
    match = re.fullmatch(r"random:(\d{1,9})", weights)
    if match is None:
        raise WeightsError(f"weights are {weights!r}, expected random:SEED as in random:0")
    return int(match[1])


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a checkpoint without running any code that it may hold.

    Args:
        path: a .safetensors, .pt or .pth file; or a .zip with one of the latter in it.

    Raises:
        WeightsError: there is no such file, or it is not a checkpoint.
    """
    path = _existing(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file  # training goes without it

            return load_file(path)
        opened = _unpacked(path) if path.suffix == ".zip" else path
        content = torch.load(opened, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise a dozen types for damaged files
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise WeightsError(
            f"weights file {path} cannot be read ({reason}): it is damaged or not a checkpoint: "
            "download it again"
        ) from error
    state: dict[str, Tensor] = content
    if isinstance(content, dict):
        state = content.get("model", content)
    named = isinstance(state, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) and not value.is_nested
        for key, value in state.items()
    )
    if not named:
        raise WeightsError(
            f"weights file {path} holds no state dict, expected tensors by name under 'model'"
        )
    return state


def _existing(path: Path) -> Path:
    """The path of a file, with ~ filled in.

    Raises:
        WeightsError: there is no such file.
    """
    reason = "does not exist"
    try:
        found = path.expanduser()
        if found.is_file():
            return found
    except (OSError, RuntimeError, ValueError) as error:  # too long, no rights; no such user
        reason = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
    raise WeightsError(f"weights file {path!s:.200} {reason}: check the path")


def _unpacked(path: Path) -> io.BytesIO:
    """The one checkpoint in a zip file."""
    with zipfile.ZipFile(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.endswith((".pt", ".pth")) and not name.startswith("__MACOSX")
        ]
        if len(names) != 1:
            raise ValueError(f"it holds {len(names)} .pt files, expected one")
        return io.BytesIO(archive.read(names[0]))


def check_state_dict(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, source: str, model: str
) -> None:
    """Hold a state dict against a network's, key by key and shape by shape.

    Raises:
        WeightsError: one line that says which keys are missing, unknown, or of another shape.
    """
    common = [key for key in expected if key in state]
    problems = {
        "missing": [key for key in expected if key not in state],
        "unexpected": [key for key in state if key not in expected],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
            for key in common
            if state[key].shape != expected[key].shape
        ],
        "not of plain numbers": [key for key in common if not _is_plain(state[key])],
    }
    # A few bytes can claim any size: only what has the right one is looked at.
    fitting = [key for key in common if state[key].shape == expected[key].shape]
    plain = [key for key in fitting if _is_plain(state[key])]
    problems["not finite"] = [key for key in plain if not torch.isfinite(state[key]).all()]
    problems[f"beyond {LARGEST_WEIGHT:g}"] = [
        key
        for key in plain
        if key not in problems["not finite"] and bool((state[key].abs() > LARGEST_WEIGHT).any())
    ]
    found = [f"{len(keys)} {what} ({_shorten(keys)})" for what, keys in problems.items() if keys]
    if found:
        whose = whose_layout(state)
        hint = f"they are of {whose}" if whose else "check that model and weights belong together"
        raise WeightsError(
            f"weights file {source} does not fit {model}: keys {'; '.join(found)}: {hint}"
        )


def _is_plain(value: Tensor) -> bool:
    """Whether it is a tensor of numbers that lie one behind the other, in memory."""
    is_in_memory = value.layout is torch.strided and not value.is_meta
    return is_in_memory and value.dtype in PLAIN_NUMBERS


def whose_layout(state: Mapping[str, Tensor]) -> str:
    """Name of the first model that has exactly these keys and shapes; empty: none has."""
    shapes = {key: value.shape for key, value in state.items()}
    return next((name for name, own in _layouts().items() if own == shapes), "")


@lru_cache(maxsize=1)
def _layouts() -> dict[str, dict[str, torch.Size]]:
    """Keys and shapes of every model by its name; seconds the first time."""
    found = {}
    for config in (*MODELS.values(), *PICTURE_MODELS.values()):
        if config.weights_of:
            continue
        with torch.device("meta"):
            kind = EfficientSAM if config.name in PICTURE_MODELS else EfficientTAM
            own = official_state_dict(kind(config))
        found[config.name] = {key: value.shape for key, value in own.items()}
    return found


def _shorten(keys: list[str]) -> str:
    more = len(keys) - SHOWN_KEYS
    return ", ".join(keys[:SHOWN_KEYS]) + (f", and {more} more" if more > 0 else "")


def random_state_dict(network: EfficientTAM | EfficientSAM, seed: int) -> dict[str, Tensor]:
    """Untrained weights as a function of (seed, name, shape) alone, objects mostly visible."""
    state = {}
    for name, value in official_state_dict(network).items():
        shape = tuple(value.shape)
        rng = np.random.RandomState((seed * 1000003 + zlib.crc32(name.encode())) % 2**32)
        drawn = rng.standard_normal(shape).astype(np.float32)
        if len(shape) >= 2:
            drawn /= np.sqrt(np.prod(shape[1:]), dtype=np.float32)
        elif name.endswith(("weight", "gamma")):
            drawn = 1.0 + 0.1 * drawn
        else:
            drawn *= 0.05
        state[name] = torch.from_numpy(drawn)
    if OBJECT_SCORE_BIAS in state:
        state[OBJECT_SCORE_BIAS] += 0.6
    return state
