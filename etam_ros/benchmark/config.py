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
        unset="the model's own; random ones if they are not installed",
    )
    backend: str = option(
        "auto",
        "auto; all: every backend that runs here; or a list, as torch,openvino; each with an "
        "optional precision, as torch:fp32,openvino:bf16; eager is torch without CUDA graphs.",
    )
    objects: str = option("1", "Numbers of objects, as 1,2,4,8,16.")
    frames: int = option(30, "Measured frames of the tracker.", minimum=1, maximum=10**6)
    against: str = option(
        "",
        "Backend, with its precision, that the others are compared with.",
        unset="the first",
    )
    node_frames: int = option(
        200,
        "Measured frames of the node, at each size; 0 skips the node.",
        minimum=0,
        maximum=10**6,
    )
    memory: bool = option(
        True,
        "Measure peak memory, in a separate process for each backend.",
        flag="--memory/--no-memory",
    )
    table: str = option("", "CSV file for all values.", unset="none", flag="--csv", metavar="path")
    plot: str = option("", "PNG file for a plot of them.", unset="none", metavar="path")
