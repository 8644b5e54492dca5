"""A TensorRT whose plans are PyTorch modules on a CPU: the double for how contexts are used.

It is as strict as the real one: profiles, shapes, addresses and scratch memory have to be given
before a context runs, and outputs are written to the addresses alone. A plan's bytes are the name
of its graph.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any

import torch

from etam_ros.runtime.export_parts import Graph
from etam_ros.runtime.fixed_stages import BUCKETS
from etam_ros.runtime.tensorrt_plans import LENGTHS, letter_of

SCRATCH = 1000


class DataType(Enum):
    FLOAT, INT64, BOOL = range(3)


class TensorIOMode(Enum):
    INPUT, OUTPUT = range(2)


TYPES = {
    torch.float32: DataType.FLOAT, torch.int64: DataType.INT64, torch.bool: DataType.BOOL,
}  # fmt: skip


def memory_at(address: int, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """The tensor that lies at an address."""
    count = torch.Size(shape).numel()
    raw = (ctypes.c_byte * (count * dtype.itemsize)).from_address(address)
    return torch.frombuffer(raw, dtype=dtype).reshape(shape)


class FakeContext:
    """An execution context that must be told everything."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.profile = -1
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.scratch = 0

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        self.profile = profile
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        free = self.graph.free.get(name, {})
        for index, (length, example) in enumerate(
            zip(shape, self.graph.inputs[name].shape, strict=True)
        ):
            least, most = example, example
            if index in free:
                letter = letter_of(name, index)
                least = most = BUCKETS[self.profile]
                if letter != "B":
                    least, _, most = LENGTHS[letter]
            if not least <= length <= most:
                return False
        self.shapes[name] = shape
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def set_device_memory(self, address: int, size: int) -> None:
        self.scratch = size

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        zeros = [
            torch.zeros(self.shapes[each], dtype=value.dtype)
            for each, value in self.graph.inputs.items()
        ]
        return tuple(self._run(*zeros)[self.graph.outputs.index(name)].shape)

    def execute_async_v3(self, stream: int) -> bool:
        if self.scratch < SCRATCH or set(self.shapes) != set(self.graph.inputs):
            return False
        inputs = [
            memory_at(self.addresses[name], self.shapes[name], value.dtype)
            for name, value in self.graph.inputs.items()
        ]
        for name, value in zip(self.graph.outputs, self._run(*inputs), strict=True):
            memory_at(self.addresses[name], tuple(value.shape), torch.float32).copy_(value)
        return True

    def _run(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.graph.module(*inputs)
        return found if isinstance(found, tuple) else (found,)


class FakeEngine:
    """A deserialised plan; outputs are told in another order than that of the graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = [*graph.inputs, *reversed(graph.outputs)]
        self.num_io_tensors = len(self.names)
        self.num_optimization_profiles = len(BUCKETS) if graph.free else 1

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.graph.inputs else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return TYPES[self.graph.inputs[name].dtype]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        free = self.graph.free.get(name, {})
        shape = self.graph.inputs[name].shape
        return tuple(-1 if index in free else length for index, length in enumerate(shape))

    def get_device_memory_size_for_profile_v2(self, profile: int) -> int:
        return SCRATCH

    def create_runtime_config(self) -> Any:
        return FakeConfig()

    def create_execution_context(self, how: object) -> FakeContext:
        strategy = how.strategy if isinstance(how, FakeConfig) else how
        assert strategy == "user managed"
        if isinstance(how, FakeConfig):
            assert how.cuda_graph_strategy == "disabled"
            assert how.dynamic_shapes_kernel_specialization_strategy == "eager"
            how.cache.content += b"k"
        return FakeContext(self.graph)


class FakeCache:
    """What TensorRT for RTX has compiled: a letter for each context."""

    def __init__(self) -> None:
        self.content = b""

    def serialize(self) -> bytes:
        return self.content

    def deserialize(self, content: bytes) -> bool:
        fits = set(content) == {ord("k")}
        if fits:
            self.content = content
        return fits


class FakeConfig:
    """How a context of TensorRT for RTX is made."""

    def __init__(self) -> None:
        self.strategy = ""
        self.cache = FakeCache()
        self.cuda_graph_strategy = ""
        self.dynamic_shapes_kernel_specialization_strategy = ""

    def create_runtime_cache(self) -> FakeCache:
        return FakeCache()

    def set_runtime_cache(self, cache: FakeCache) -> None:
        self.cache = cache

    def set_execution_context_allocation_strategy(self, strategy: str) -> None:
        self.strategy = strategy


def fake_library(flavour: str, graphs: list[Graph]) -> Any:
    """The module tensorrt or tensorrt_rtx."""
    by_name = {graph.name.encode(): graph for graph in graphs}

    def deserialize(content: bytes) -> FakeEngine | None:
        return FakeEngine(by_name[content]) if content in by_name else None

    logger: Callable[[object], object] = lambda severity: object()  # noqa: E731
    logger.ERROR = 3  # type: ignore[attr-defined]
    library = SimpleNamespace(
        __name__=flavour,
        Logger=logger,
        Runtime=lambda _: SimpleNamespace(deserialize_cuda_engine=deserialize),
        DataType=DataType,
        TensorIOMode=TensorIOMode,
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="user managed"),
    )
    if flavour == "tensorrt_rtx":
        library.IRuntimeCache = FakeCache
        library.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager")
        library.CudaGraphStrategy = SimpleNamespace(DISABLED="disabled")
    return library
