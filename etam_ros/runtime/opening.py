"""Open a model's stages on a backend."""

from __future__ import annotations

from etam_ros.config import BACKENDS, DEFAULT_MODEL, DEVICES, PRECISIONS
from etam_ros.errors import BackendError, ConfigError
from etam_ros.runtime.engine_request import (
    CPU_LIBRARIES,
    ENGINE_BACKENDS,
    GPU_BACKENDS,
    EngineRequest,
)
from etam_ros.runtime.exported import OnStep
from etam_ros.runtime.stages import Stages


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
    for name, value, choices in (
        ("backend", backend, BACKENDS),
        ("precision", precision, PRECISIONS),
        ("device", device, DEVICES),
    ):
        if value not in choices:
            raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(choices)}")
    from etam_ros.runtime import engines
    from etam_ros.runtime.backends.torch.graphs import open_torch_graphs
    from etam_ros.runtime.backends.torch.stages import choose_device, open_torch_stages
    from etam_ros.runtime.gpu_engines import check_gpu

    if backend in GPU_BACKENDS:
        if device == "cpu":
            raise BackendError(f"device is cpu, which {backend} does not use: use cuda or auto")
        check_gpu(backend)
    if backend in CPU_LIBRARIES:
        if device == "cuda":
            raise BackendError(f"device is cuda, which {backend} does not use: use cpu or torch")
        device = "cpu"
    place = choose_device(device)
    if backend in ENGINE_BACKENDS:
        computed = engines.choose_precision(backend, precision)
        request = EngineRequest(model, weights, backend, computed, engine_dir)
        return engines.open_engine(request, build=build_engines, on_step=on_step)
    if backend == "auto":
        ready = engines.fastest_ready(model, weights, engine_dir, precision, device=place.type)
        if ready is not None:
            return ready()
    open_on_torch = open_torch_graphs if place.type == "cuda" else open_torch_stages
    return open_on_torch(model, weights=weights, precision=precision, device=place.type)


def open_eager_stages(
    model: str = DEFAULT_MODEL, *, weights: str = "", precision: str = "auto", device: str = "auto"
) -> Stages:
    """Load a model onto PyTorch without fixed shapes or captures, on CUDA too: to compare with.

    Arguments and errors as of `open_stages`.
    """
    from etam_ros.runtime.backends.torch.stages import open_torch_stages

    return open_torch_stages(model, weights=weights, precision=precision, device=device)
