"""Open a model's stages, judged by the tracker that will run on them."""

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
    """Load a model and get it ready to run.

    Args:
        model: name of a configuration.
        weights: path of a .pt, .pth or .safetensors file; random:SEED for tests; empty for the
            model's own downloaded weights.
        backend: auto, torch, onnx, openvino, tensorrt or tensorrt_rtx. auto is the fastest on the
            device whose engine was built (`etam build`) and passed the parity gate, else torch,
            which on CUDA is captured into graphs.
        precision: auto, fp32, bf16 or fp16; auto is what is fast: bf16 with OpenVINO on a CPU
            that has it, fp32 otherwise on a CPU; fp16 with TensorRT, bf16 with torch on CUDA.
        device: auto, cpu or cuda; auto is CUDA where there is one.
        engine_dir: folder of the engines; empty: `engines/` of a source checkout, else the
            user's cache.
        build_engines: export and judge a model whose engine is not there yet; False refuses.
        on_step: is told what is being done when that takes time.

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
