"""Plans of TensorRT and TensorRT for RTX as graphs, on memory that PyTorch owns.

Each graph is an execution context of its own, on the profile of its bucket. What layers need
while they run lies in scratch memory that all of them share: they run one after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from etam_ros.errors import BackendError
from etam_ros.runtime.atomic import write_file
from etam_ros.runtime.backends.tensorrt.plans import LENGTHS, Plans, letter_of
from etam_ros.runtime.exported import DECODED
from etam_ros.runtime.fixed_stages import BUCKETS
from etam_ros.runtime.static_graphs import Input, Launch, StaticGraphs

KERNEL_CACHE: Final = "kernels.cache"
LEAST_SCRATCH: Final = 512

logger = logging.getLogger(__name__)


class TensorRTGraphs(StaticGraphs):
    """The plans of one model, deserialised.

    Args:
        library: the module tensorrt or tensorrt_rtx.
        plans: whose key fits the library and the GPU.
        device: the GPU.

    Raises:
        BackendError: a plan cannot be loaded.
    """

    def __init__(self, library: Any, plans: Plans, device: torch.device) -> None:
        self.device = device
        self.longest = {letter: most for letter, (_, _, most) in LENGTHS.items()}
        self._library, self._plans = library, plans
        self._logger = library.Logger(library.Logger.ERROR)
        self._runtime = library.Runtime(self._logger)
        self._engines = {graph: self._load(graph) for graph in plans.graphs}
        self.inputs = {graph: self._inputs(engine) for graph, engine in self._engines.items()}
        self._kernels: Any = None
        self._kept: list[Any] = []
        self._scratch = torch.empty(0, dtype=torch.uint8, device=device)
        if hasattr(library, "IRuntimeCache"):
            self._read_kernels()

    def prepare(self, graph: str, buffers: Mapping[str, Tensor]) -> Launch:
        """A context of the graph's plan that reads these buffers and writes its own."""
        engine = self._engines[graph]
        context = self._context(engine)
        profile = self._profile(graph, buffers)
        stream = torch.cuda.current_stream(self.device)
        context.set_optimization_profile_async(profile, stream.cuda_stream)
        stream.synchronize()
        for name, buffer in buffers.items():
            fits = context.set_input_shape(name, tuple(buffer.shape))
            if not fits or not context.set_tensor_address(name, buffer.data_ptr()):
                raise BackendError(
                    f"{graph} does not take {name} of shape {tuple(buffer.shape)}: delete "
                    f"{self._plans.folder} to build it again"
                )
        outputs = []
        for name in self._outputs(graph):
            shape = tuple(context.get_tensor_shape(name))
            output = torch.empty(shape, dtype=torch.float32, device=self.device)
            context.set_tensor_address(name, output.data_ptr())
            outputs.append(output)
        scratch = self._scratch_of(engine.get_device_memory_size_for_profile_v2(profile))
        context.set_device_memory(scratch.data_ptr(), scratch.numel())
        kept = (scratch, dict(buffers))

        def launch() -> tuple[Tensor, ...]:
            handle = torch.cuda.current_stream(self.device).cuda_stream
            if not context.execute_async_v3(handle):
                raise BackendError(f"{graph} does not run on {kept[0].device}: see its output")
            return tuple(outputs)

        return launch

    def keep_compiled(self) -> None:
        """Write what TensorRT for RTX compiled for this GPU beside the plans."""
        if self._kernels is None:
            return
        path = self._plans.folder / KERNEL_CACHE
        try:
            write_file(path, bytes(self._kernels.serialize()))
        except OSError as error:
            logger.info("compiled kernels are not kept in %s: %s", path, error.strerror or error)

    def close(self) -> None:
        self._kept.clear()
        self._kernels = None
        self._engines.clear()
        self._scratch = torch.empty(0)

    def _load(self, graph: str) -> Any:
        engine = self._runtime.deserialize_cuda_engine(self._plans.file(graph).read_bytes())
        if engine is None:
            raise BackendError(
                f"{self._plans.file(graph)} cannot be loaded, see the output of "
                f"{self._library.__name__} above: delete {self._plans.folder} to build it again"
            )
        return engine

    def _inputs(self, engine: Any) -> dict[str, Input]:
        types = self._library.DataType
        dtypes = {
            types.FLOAT: torch.float32, types.INT64: torch.int64, types.BOOL: torch.bool
        }  # fmt: skip
        found = {}
        for name in self._names(engine, self._library.TensorIOMode.INPUT):
            shape = tuple(
                letter_of(name, index) if length == -1 else int(length)
                for index, length in enumerate(engine.get_tensor_shape(name))
            )
            found[name] = Input(shape, dtypes[engine.get_tensor_dtype(name)])
        return found

    def _outputs(self, graph: str) -> list[str]:
        names = self._names(self._engines[graph], self._library.TensorIOMode.OUTPUT)
        return list(DECODED) if set(names) == set(DECODED) else names

    @staticmethod
    def _names(engine: Any, mode: Any) -> list[str]:
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        return [name for name in names if engine.get_tensor_mode(name) == mode]

    def _profile(self, graph: str, buffers: Mapping[str, Tensor]) -> int:
        """The profile of the bucket that the buffers are for."""
        inputs = self.inputs[graph].items()
        rows = [len(buffers[name]) for name, each in inputs if each.shape[0] == "B"]
        return BUCKETS.index(rows[0]) if rows else 0

    def _context(self, engine: Any) -> Any:
        """A context that gets its scratch memory from us."""
        library = self._library
        ours = library.ExecutionContextAllocationStrategy.USER_MANAGED
        if self._kernels is None:
            return engine.create_execution_context(ours)
        config = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(ours)
        config.set_runtime_cache(self._kernels)
        # A capture keeps the kernels that it finds: they have to be the right ones at once.
        kernels = library.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = kernels.EAGER
        config.cuda_graph_strategy = library.CudaGraphStrategy.DISABLED
        self._kept.append(config)
        return engine.create_execution_context(config)

    def _scratch_of(self, size: int) -> Tensor:
        """Shared memory of at least so many bytes; graphs keep what they were given."""
        if self._scratch.numel() < max(size, LEAST_SCRATCH):
            self._scratch = torch.empty(
                max(size, LEAST_SCRATCH), dtype=torch.uint8, device=self.device
            )
        return self._scratch

    def _read_kernels(self) -> None:
        """What was compiled before; the library itself sees whether it fits."""
        config = next(iter(self._engines.values())).create_runtime_config()
        self._kept.append(config)
        self._kernels = config.create_runtime_cache()
        try:
            known = (self._plans.folder / KERNEL_CACHE).read_bytes()
        except OSError:
            return
        if not self._kernels.deserialize(known):
            logger.info("kernels that %s holds do not fit, they are compiled again", KERNEL_CACHE)
