"""What a run is told to begin with and to learn from: looked for before torch is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from etam_ros.errors import SourceError, WeightsError

WEIGHTS_SUFFIXES: Final = (".safetensors", ".pt", ".pth")
DATA: Final = (
    "sequences in DAVIS layout, images/ with masks/, a bag with a label image, a packed .npz, "
    "videos or photographs"
)


def initial_path(init: str) -> Path | None:
    """The file or folder that `--init` names; None where it can only be the name of a model.

    Raises:
        WeightsError: it is a path to nothing.
    """
    try:
        path = Path(init).expanduser()
        if path.is_dir() or path.is_file():
            return path
    except (OSError, RuntimeError, ValueError) as error:  # too long; ~ of no such user
        raise WeightsError(
            f"--init {init:.200} cannot be opened ({getattr(error, 'strerror', None) or error}): "
            "check the path"
        ) from None
    if path.suffix in WEIGHTS_SUFFIXES or len(path.parts) > 1:
        raise WeightsError(f"weights file {path} does not exist: check the path given to --init")
    return None


def check_data(name: str) -> Path:
    """A path of `--data`, which has to exist.

    Raises:
        SourceError: it does not, or cannot be looked at.
    """
    path = Path(name)
    try:
        found = path.exists()
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{name:.200} cannot be opened ({getattr(error, 'strerror', None) or error}), "
            f"expected {DATA}"
        ) from None
    if not found:
        raise SourceError(f"{path} does not exist, expected {DATA}")
    return path
