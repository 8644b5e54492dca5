"""Where files lie that are not Python: config/, launch/, engines/, ..."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from etam_ros.errors import ConfigError


def share_file(relative: str) -> Path:
    """Find a file that ships with the package.

    Args:
        relative: path in the source tree, such as "config/tracker.yaml".

    Returns:
        Its path in the source checkout, or under share/etam_ros of an installation.

    Raises:
        ConfigError: it is nowhere.
    """
    package = Path(__file__).resolve().parent
    prefixes = [*package.parents, Path(sys.prefix)]
    prefixes += [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    candidates = [package.parent / relative]
    candidates += [prefix / "share" / "etam_ros" / relative for prefix in prefixes]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"{relative} is missing from the installation in {package}: install etam_ros again"
    )


def checkout_folder(name: str) -> Path | None:
    """A folder of the source checkout that this package runs from; None once it is installed."""
    root = Path(__file__).resolve().parents[1]
    is_checkout = (root / "pyproject.toml").is_file() and (root / name).is_dir()
    return root / name if is_checkout else None
