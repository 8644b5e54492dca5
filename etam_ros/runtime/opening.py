"""Open a model's stages on a backend."""

from __future__ import annotations

from etam_ros.config import BACKENDS, DEFAULT_MODEL, DEVICES, PRECISIONS
from etam_ros.errors import BackendError, ConfigError
from etam_ros.runtime.stages import Stages


def open_stages(
    model: str = DEFAULT_MODEL,
    *,
    weights: str = "",
    backend: str = "auto",
    precision: str = "auto",
    device: str = "auto",
) -> Stages:
    """Load a model and get it ready to run.

    Args:
        model: name of a configuration.
        weights: path of a .pt, .pth or .safetensors file; random:SEED for tests; empty for the
            model's own downloaded weights.
        backend: auto or torch; auto is torch.
        precision: auto, fp32, bf16 or fp16; auto is fp32 on a CPU.
        device: auto, cpu or cuda; auto is CUDA where there is one.

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
    if backend not in ("auto", "torch"):
        raise BackendError(
            f"backend is {backend}, which this version does not have yet: use torch or auto"
        )
    from etam_ros.runtime.torch_stages import open_torch_stages

    return open_torch_stages(model, weights=weights, precision=precision, device=device)
