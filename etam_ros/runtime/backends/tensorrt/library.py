"""TensorRT itself, where it is installed and new enough."""

from __future__ import annotations

from typing import Any, Final

from etam_ros.errors import BackendError

OLDEST: Final = 10
"""Major version from which on networks are strongly typed."""


def import_tensorrt() -> Any:
    """TensorRT.

    Raises:
        BackendError: it is not installed, or too old.
    """
    try:
        import tensorrt
    except ImportError as error:
        raise BackendError(
            "backend is tensorrt, but TensorRT is not installed: it comes with JetPack 6 and "
            "later, or from NVIDIA (docs/engines.md)"
        ) from error
    version = str(tensorrt.__version__)
    if int(version.partition(".")[0]) < OLDEST:
        raise BackendError(
            f"TensorRT is {version}, expected {OLDEST} or later, where the precision lies in the "
            "network: update it, on a Jetson by JetPack 6.1"
        )
    return tensorrt
