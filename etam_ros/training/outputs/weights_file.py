"""Weights files: averaged weights of a network, or an image encoder only."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from etam_ros.media.files import writing_whole
from etam_ros.model import ModelConfig
from etam_ros.model.image_encoder import ImageEncoder

ENCODER_FILE: Final = "encoder.safetensors"
ENCODER_PART: Final = "image_encoder"
"""Value of `part` in the metadata, and prefix of all names, as in the whole network."""

logger = logging.getLogger(__name__)


def write_weights(weights: Mapping[str, Tensor], folder: Path, config: ModelConfig) -> Path:
    """Write `weights.safetensors`, or `weights.pt` if safetensors is not installed.

    Weights are stored in float16, which halves the file and changes a weight by up to 0.05 %. The
    file contains the name of the network.

    Raises:
        SourceError: it cannot be written.
    """
    state = {name: value.detach().cpu().half().clone() for name, value in weights.items()}
    path = folder / ("weights.safetensors" if find_spec("safetensors") else "weights.pt")
    with writing_whole(path) as part:
        if path.suffix == ".safetensors":
            from safetensors.torch import save_file

            save_file(state, part, metadata={"model": config.name})
        else:
            torch.save({"model": state}, part)
    return path


def write_encoder(encoder: ImageEncoder, folder: Path, **metadata: str) -> None:
    """Write ENCODER_FILE in float32, for `etam train --init`; warns if safetensors is missing.

    Args:
        encoder: its state dict is written, with the prefix `image_encoder.` for all names.
        metadata: further metadata, in addition to `part`.

    Raises:
        SourceError: it cannot be written.
    """
    path = folder / ENCODER_FILE
    try:
        from safetensors.torch import save_file
    except ImportError:  # training requires torch, NumPy and OpenCV only
        logger.warning(
            "%s is not written: install safetensors and run the same command again, "
            "the states are there",
            path,
        )
        return
    tensors = {
        f"{ENCODER_PART}.{name}": value.detach().float().cpu().contiguous()
        for name, value in encoder.state_dict().items()
    }
    with writing_whole(path) as part:
        save_file(tensors, part, metadata={"part": ENCODER_PART, **metadata})
