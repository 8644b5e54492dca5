"""Which network runs, on what, in which arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from etam_ros.options import Checked, option

ENGINE_BACKENDS: Final = ("onnx", "openvino", "tensorrt", "tensorrt_rtx")
BACKENDS: Final = ("auto", "torch", *ENGINE_BACKENDS)
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16")
DEVICES: Final = ("auto", "cpu", "cuda")
DEFAULT_MODEL: Final = "etam_nano"


@dataclass(frozen=True)
class NetworkConfig(Checked):
    """Which network runs, on what: the node and most commands are told it alike."""

    model: str = option(DEFAULT_MODEL, "Name of the model, one of `etam weights list`.")
    weights: str = option(
        "", "Path of a weights file, or random:SEED for tests.", unset="the model's own"
    )
    backend: str = option("auto", "Library that computes the network.", choices=BACKENDS)
    precision: str = option(
        "auto",
        "Arithmetic of the network; auto is fp16 with TensorRT, bf16 with torch on CUDA and "
        "with OpenVINO on a CPU that supports it, otherwise fp32.",
        choices=PRECISIONS,
    )
    device: str = option("auto", "Where the network runs.", choices=DEVICES)
    engine_dir: str = option(
        "",
        "Folder of the engines.",
        unset="engines/ of a source checkout, otherwise the user's cache",
        metavar="path",
    )
