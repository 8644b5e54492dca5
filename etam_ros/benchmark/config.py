"""What `etam bench` is told."""

from __future__ import annotations

from dataclasses import dataclass

from etam_ros.config import NetworkConfig
from etam_ros.options import option


@dataclass(frozen=True)
class BenchConfig(NetworkConfig):
    """What is measured: one network, in one way to run it or in several."""

    weights: str = option(
        "",
        "Weights file, or random:SEED; speed does not depend on them.",
        unset="the model's own, untrained ones if they are not here",
    )
    backend: str = option(
        "auto",
        "auto; or all that run here; or some, as torch,openvino; with a precision each, as "
        "torch:fp32,openvino:bf16; eager is torch without captures on CUDA.",
    )
    objects: str = option("1", "Objects followed, as 1,2,4,8,16.")
    frames: int = option(30, "Measured frames of the tracker.", minimum=1, maximum=10**6)
    against: str = option(
        "",
        "Backend, with its precision, that ratios and masks are held against.",
        unset="the first",
    )
    node_frames: int = option(
        200,
        "Measured frames of the node, at each size; 0 leaves it out.",
        minimum=0,
        maximum=10**6,
    )
    memory: bool = option(
        True,
        "Measure peak memory, in a process of its own for each backend.",
        flag="--memory/--no-memory",
    )
    table: str = option(
        "", "CSV file for all numbers.", unset="none", flag="--csv", metavar="path"
    )
    plot: str = option("", "PNG file to draw them in.", unset="none", metavar="path")
