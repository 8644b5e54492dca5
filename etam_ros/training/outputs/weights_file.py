"""What runs leave to others: averaged weights of a network, or an image encoder alone."""

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
"""Value of `part` in the metadata, and prefix of all names: those of the whole network."""

logger = logging.getLogger(__name__)


def write_weights(weights: Mapping[str, Tensor], folder: Path, config: ModelConfig) -> Path:
    """Write `weights.safetensors`, or `weights.pt` where safetensors is not installed.

    In float16, which halves the file and costs 0.05 % of a weight, with the name of the network.

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
    """Write ENCODER_FILE in float32, for `etam train --init`; warns where safetensors is missing.

    Args:
        encoder: whose state dict is written, its names with `image_encoder.` before them.
        metadata: what else the file shall say beside `part`.

    Raises:
        SourceError: it cannot be written.
    """
    path = folder / ENCODER_FILE
    try:
        from safetensors.torch import save_file
    except ImportError:  # training needs torch, NumPy and OpenCV alone
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
