"""Open a model's stages on a backend."""

from __future__ import annotations

from etam_ros.config import BACKENDS, DEFAULT_MODEL, DEVICES, PRECISIONS
from etam_ros.errors import BackendError, ConfigError
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
        backend: auto, torch, onnx or openvino. auto is torch on a GPU; on a CPU it is the fastest
            whose engine was built (`etam build`) and passed the parity gate, else torch.
        precision: auto, fp32, bf16 or fp16; auto is what is fast and passes: bf16 with OpenVINO
            on a CPU that has it, fp32 otherwise on a CPU.
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
    if backend in ("tensorrt", "tensorrt_rtx"):
        raise BackendError(
            f"backend is {backend}, which this version does not have yet: use torch, onnx, "
            "openvino or auto"
        )
    from etam_ros.runtime.torch_stages import choose_device, open_torch_stages

    place = choose_device(
        "cpu" if device == "auto" and backend not in ("auto", "torch") else device
    )
    if place.type == "cpu" and backend != "torch":
        from etam_ros.runtime import engines

        if backend == "auto":
            ready = engines.fastest_ready(model, weights, engine_dir, precision)
            if ready is not None:
                return ready()
        else:
            computed = engines.choose_cpu_precision(backend, precision)
            request = engines.EngineRequest(model, weights, backend, computed, engine_dir)
            return engines.open_engine(request, build=build_engines, on_step=on_step)
    elif backend not in ("auto", "torch"):
        raise BackendError(f"device is cuda, which {backend} does not use yet: use cpu or torch")
    return open_torch_stages(model, weights=weights, precision=precision, device=device)
