"""Averaged weights for everything that follows objects: official layout, half precision."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from etam_ros.errors import TrainingError
from etam_ros.model import ModelConfig


def write_weights(
    weights: Mapping[str, Tensor], folder: str | Path, config: ModelConfig, *, half: bool = True
) -> Path:
    """Write `weights.safetensors`, or `weights.pt` where safetensors is not installed.

    Args:
        weights: state dict of the network.
        folder: of the run.
        config: of the network; its name goes into the file.
        half: in float16, which halves the file and costs 0.05 % of a weight.

    Raises:
        TrainingError: it cannot be written.
    """
    dtype = torch.float16 if half else torch.float32
    state = {name: value.detach().cpu().to(dtype).clone() for name, value in weights.items()}
    suffix = ".safetensors" if find_spec("safetensors") else ".pt"
    path = Path(folder) / f"weights{suffix}"
    unfinished = path.with_name(f"unfinished_{path.name}")
    try:
        if suffix == ".safetensors":
            from safetensors.torch import save_file

            save_file(state, unfinished, metadata={"model": config.name})
        else:
            torch.save({"model": state}, unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise TrainingError(
            f"weights cannot be written to {path} ({error.strerror}): make room"
        ) from error
    return path
