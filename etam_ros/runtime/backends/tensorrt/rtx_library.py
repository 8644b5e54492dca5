"""TensorRT for RTX, which builds for GPUs that are not here."""

from __future__ import annotations

from typing import Any

from etam_ros.errors import BackendError


def import_tensorrt_rtx() -> Any:
    """TensorRT for RTX.

    Raises:
        BackendError: it is not installed.
    """
    try:
        import tensorrt_rtx
    except ImportError as error:
        raise BackendError(
            "backend is tensorrt_rtx, but TensorRT for RTX is not installed: install "
            "etam_ros[tensorrt-rtx]"
        ) from error
    return tensorrt_rtx
