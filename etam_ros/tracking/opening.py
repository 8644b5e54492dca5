"""Open a model's stages, with a parity gate that runs the tracker on them."""

from __future__ import annotations

from etam_ros.config import DEFAULT_MODEL
from etam_ros.runtime import Stages
from etam_ros.runtime.exported import OnStep
from etam_ros.tracking.parity_clip import follow_clip


def open_stages(
    model: str = DEFAULT_MODEL,
    *,
    weights: str = "",
    backend: str = "auto",
    precision: str = "auto",
    device: str = "auto",
    engine_dir: str = "",
    build_engines: bool = True,
    on_step: OnStep | None = None,
) -> Stages:
    """Load a model and prepare it to run.

    Args:
        model: name of a configuration.
        weights: path of a .pt, .pth or .safetensors file; random:SEED for tests; empty for the
            model's own installed weights.
        backend: auto, torch, onnx, openvino, tensorrt or tensorrt_rtx. auto is the fastest one
            whose engine was built (`etam build`) and passed the parity gate, otherwise torch,
            which on CUDA uses CUDA graphs.
        precision: auto, fp32, bf16 or fp16; auto is the fastest: on a CPU bf16 with OpenVINO if
            the CPU supports it, otherwise fp32; on CUDA fp16 with TensorRT, bf16 with torch.
        device: auto, cpu or cuda; auto is CUDA if there is a CUDA device.
        engine_dir: folder of the engines; empty: `engines/` of a source checkout, otherwise the
            user's cache.
        build_engines: build and check a missing engine; False raises instead.
        on_step: called with a description of each step that takes time.

    Returns:
        the stages, a context manager.

    Raises:
        ConfigError: no such model, backend, precision or device.
        BackendError: this machine cannot run it.
        WeightsError: the weights are missing, damaged or for another model.
    """
    from etam_ros.runtime.backend import EngineRequest
    from etam_ros.runtime.engines import open_engine

    request = EngineRequest(model, weights, backend, precision, engine_dir, device)
    return open_engine(request, follow_clip, build=build_engines, on_step=on_step)
