"""PyTorch's graphs: the graphs of an export, run by PyTorch itself.

On CUDA they are captured, which saves the launching of a thousand small kernels a frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from etam_ros.model import EfficientTAM
from etam_ros.runtime.backends.torch.stages import (
    DTYPES,
    constants_of,
    full_float32,
    sizes_of,
    traits_of,
)
from etam_ros.runtime.export_parts import Graph, cross_attend_graph, graphs
from etam_ros.runtime.exported import BY_LENGTH, PADDED
from etam_ros.runtime.fixed_stages import CROSS_ATTEND_FULL, FixedStages
from etam_ros.runtime.static_graphs import Input, Launch, StaticGraphs

EXAMPLE_MEMORIES: Final = 2


def torch_graphs_stages(
    network: EfficientTAM, precision: str, device: torch.device
) -> FixedStages:
    """A network, which is fused and brought to the precision in place, in fixed shapes."""
    graphs = TorchGraphs(network, precision, device)
    name = f"{network.config.name} on torch, {device.type}, {precision}"
    traits = traits_of(network.config)
    return FixedStages(graphs, sizes_of(network), traits, constants_of(network), name)


class TorchGraphs(StaticGraphs):
    """The graphs of a network as PyTorch modules.

    Args:
        network: is fused, brought to the precision and moved in place.
        precision: fp32, bf16 or fp16; the mask decoder stays in fp32.
        device: where to.
    """

    def __init__(self, network: EfficientTAM, precision: str, device: torch.device) -> None:
        made = {graph.name: graph for graph in graphs(network, precision, PADDED)}
        # Attention without a mask has the faster kernels.
        full = cross_attend_graph(
            "cross_attend", network, DTYPES[precision], EXAMPLE_MEMORIES, BY_LENGTH
        )
        made[CROSS_ATTEND_FULL] = replace(full, name=CROSS_ATTEND_FULL)
        network.to(device)
        self.device = device
        self.longest = {}
        self.inputs = {name: _inputs(graph) for name, graph in made.items()}
        self._modules = {name: graph.module.eval() for name, graph in made.items()}

    def prepare(self, graph: str, buffers: Mapping[str, Tensor]) -> Launch:
        """The module on these buffers."""
        module = self._modules[graph]
        arguments = dict(buffers)

        def launch() -> tuple[Tensor, ...]:
            with full_float32(self.device):
                found = module(**arguments)
            return found if isinstance(found, tuple) else (found,)

        return launch

    def close(self) -> None:
        self._modules.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _inputs(graph: Graph) -> dict[str, Input]:
    """What a graph takes, with the letters of its free dimensions."""
    return {
        name: Input(
            tuple(
                graph.free.get(name, {}).get(index, length)
                for index, length in enumerate(example.shape)
            ),
            example.dtype,
        )
        for name, example in graph.inputs.items()
    }
