"""The stages over exported graphs, on any runtime of the CPU.

Each object runs by itself: a batch gains nothing on a CPU, banks are exact by length, and no
object can touch another. Letters as in `stages`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from etam_ros.runtime.exported import CROSS_ATTEND_FIRST, ExportedModel
from etam_ros.runtime.stages import DecodedMasks, EncodedImage, MemoryBatch, Stages


class GraphRunner(ABC):
    """The graphs of an export, loaded."""

    @abstractmethod
    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run a graph.

        Args:
            graph: its name.
            inputs: contiguous tensors on the CPU, in the graph's order.

        Returns:
            its outputs, float32 tensors that belong to the caller.
        """

    def close(self) -> None:  # noqa: B027 (a runtime may hold nothing)
        """Free the graphs."""


class GraphStages(Stages):
    """The stages of an exported model on a CPU.

    Args:
        exported: the model.
        runner: of its graphs.
        name: what runs, for people.
    """

    def __init__(self, exported: ExportedModel, runner: GraphRunner, name: str) -> None:
        self.name = name
        self.sizes, self.traits = exported.sizes, exported.traits
        self.device = torch.device("cpu")
        self.constants = exported.constants(self.device)
        self._runner = runner
        self._pools = CROSS_ATTEND_FIRST in exported.graphs
        side = self.sizes.mask_size
        self._no_mask = torch.zeros(1, 1, side, side), torch.zeros(1)
        self._has_mask = torch.ones(1)

    def _encode_image(self, image: Tensor) -> EncodedImage:
        feature, *skips = self._run("encode_image", image)
        return EncodedImage(feature, tuple(skips))

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        (seen,) = self._run("self_attend", feature)
        rows: list[Tensor] = []
        for row, count in enumerate(bank.pointer_count.tolist()):
            used = bank.temporal_index[row] >= 0
            memories = bank.memories[row : row + 1, used]
            graph = (
                CROSS_ATTEND_FIRST if self._pools and memories.shape[1] == 1 else "cross_attend"
            )
            index = bank.temporal_index[row : row + 1, used]
            pointers = [bank.pointers[row : row + 1, :count]]
            if bank.pointer_ages is not None:
                pointers.append(bank.pointer_ages[row : row + 1, :count])
            rows += self._run(graph, seen, memories, index, *pointers)
        return torch.cat(rows)

    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        rows = []
        for row in range(len(feature)):
            each = slice(row, row + 1)
            previous = self._no_mask
            if mask_logits is not None:
                previous = mask_logits[each], self._has_mask
            prompt = points[each], labels[each]
            rows.append(self._run("decode_mask", feature[each], *prompt, *previous, *skips))
        return DecodedMasks(*(torch.cat(values) for values in zip(*rows, strict=True)))

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        rows = [
            self._run(
                "encode_memory",
                feature,
                mask_logits[row : row + 1],
                binarize[row : row + 1],
            )[0]
            for row in range(len(mask_logits))
        ]
        return torch.cat(rows)

    def _run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self._runner.run(graph, *(value.contiguous() for value in inputs))

    def close(self) -> None:
        self._runner.close()
