"""The file that pretraining leaves: the image encoder's part of a network."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from etam_ros.errors import TrainingError
from etam_ros.model.image_encoder import ImageEncoder

ENCODER_FILE: Final = "encoder.safetensors"
ENCODER_PART: Final = "image_encoder"
"""Value of `part` in the metadata, and prefix of all names: those of the whole network."""

logger = logging.getLogger(__name__)


def save_encoder(encoder: ImageEncoder, path: Path, **metadata: str) -> None:
    """Write an encoder in float32, for `etam train --init`; warns where safetensors is missing.

    Args:
        encoder: whose state dict is written, its names with `image_encoder.` before them.
        path: of the file; replaced at once when it is complete.
        metadata: what else the file shall say beside `part`.

    Raises:
        TrainingError: it cannot be written.
    """
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
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        save_file(tensors, unfinished, metadata={"part": ENCODER_PART, **metadata})
        unfinished.replace(path)
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be written ({error.strerror}): make room or name another folder with "
            "--out"
        ) from error
