"""Versions of what computes, for whoever wants to make results again."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib import metadata
from typing import Final

from etam_ros import __version__

_LIBRARIES: Final = ("torch", "numpy", "opencv-python", "onnxruntime", "openvino", "tensorrt")


def versions() -> dict[str, str]:
    """Of Python, of this package, and of the libraries that compute."""
    found = {"etam_ros": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
