"""StaticGraphs: graphs of a network on buffers that stay in place, so that a GPU can replay them.

Letters, as in `stages`: B objects, M memory slots, R pointer slots, P points.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

WARM_UPS: Final = 3
"""Runs before a capture: libraries choose their kernels and take their memory in them."""
Launch = Callable[[], tuple[Tensor, ...]]
"""Enqueues work on the current stream; what it gives is overwritten by its next call."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Input:
    """What a graph takes.

    Attributes:
        shape: lengths, or the letters of those that vary.
        dtype: of its numbers.
    """

    shape: tuple[int | str, ...]
    dtype: torch.dtype

    def buffer(self, lengths: Mapping[str, int], device: torch.device) -> Tensor:
        """Zeros for it; `lengths` has every letter of its shape."""
        shape = [lengths[each] if isinstance(each, str) else each for each in self.shape]
        return torch.zeros(shape, dtype=self.dtype, device=device)


class StaticGraphs(ABC):
    """The graphs of one model, loaded onto a device.

    Attributes:
        device: where they run.
        inputs: of each graph, by name.
        longest: most of each letter that they take; a letter that is missing has no limit.
    """

    device: torch.device
    inputs: dict[str, dict[str, Input]]
    longest: dict[str, int]

    @abstractmethod
    def prepare(self, graph: str, buffers: Mapping[str, Tensor]) -> Launch:
        """What runs a graph on these buffers, which it keeps."""

    def keep_compiled(self) -> None:  # noqa: B027 (a runtime may compile nothing)
        """Keep on disk what was compiled while graphs ran for the first time."""

    def close(self) -> None:  # noqa: B027 (a runtime may hold nothing)
        """Free the graphs."""


@dataclass(frozen=True, eq=False)
class StaticGraph:
    """One graph for one set of shapes.

    Attributes:
        buffers: its inputs by name, to be filled before it runs.
        run: runs it; outputs are overwritten by the next run.
    """

    buffers: dict[str, Tensor]
    run: Launch


class GraphCapture:
    """Captures launches into CUDA graphs.

    All share one pool of memory: one stream replays them one after the other, and what they give
    is copied before the next runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, launch: Launch, what: str) -> Launch:
        """Warm up and capture; a launch that cannot be captured is given back as it is."""
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UPS):
                launch()
        here.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads of the process may use the GPU meanwhile.
            with torch.cuda.graph(
                graph, self._pool, self._stream, capture_error_mode="thread_local"
            ):
                outputs = launch()
        except RuntimeError as error:
            torch.cuda.set_stream(here)  # a capture that fails stays on the stream of captures
            reason = str(error).partition("\n")[0]
            logger.warning("%s runs without a CUDA graph, which fails: %s", what, reason)
            return launch

        def replay() -> tuple[Tensor, ...]:
            graph.replay()
            return outputs

        return replay
