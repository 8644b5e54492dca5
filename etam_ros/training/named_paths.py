"""Paths of initial weights and data, which are checked before torch is imported."""

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
    """The file or folder that `--init` names; None if it can only be the name of a model.

    Raises:
        WeightsError: it is a path that does not exist.
    """
    path = _opened("--init", init)
    if path.is_dir() or path.is_file():
        return path
    if path.suffix in WEIGHTS_SUFFIXES or len(path.parts) > 1:
        raise _nothing("--init", path)
    return None


def check_weights(option: str, weights: str) -> None:
    """Check that the weights file of an option exists; "" and random:SEED are not files.

    Raises:
        WeightsError: it is a path that does not exist.
    """
    if weights and not weights.startswith("random:"):
        path = _opened(option, weights)
        if not path.is_file():
            raise _nothing(option, path)


def _opened(option: str, name: str) -> Path:
    try:
        path = Path(name).expanduser()
        path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # too long, or ~ of an unknown user
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(
            f"{option} {name:.200} cannot be opened ({reason}): check the path"
        ) from None
    return path


def _nothing(option: str, path: Path) -> WeightsError:
    return WeightsError(f"weights file {path} does not exist: check the path given to {option}")


def check_data(name: str) -> Path:
    """A path of `--data`, which must exist.

    Raises:
        SourceError: it does not exist, or cannot be accessed.
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
