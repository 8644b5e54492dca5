"""A single process, or several under torchrun, each on a device of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from etam_ros.errors import BackendError


@dataclass(frozen=True)
class Processes:
    """This process: `rank` of `count`, and its device."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and reports."""
        return self.rank == 0

    def share_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average gradients over the processes; missing ones count as zero, and are filled in."""
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        if self.count == 1:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def average(self, values: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        if self.count > 1:
            distributed.all_reduce(values)
            values /= self.count
        return values

    def any(self, flag: bool) -> bool:
        """Whether the value is true in any process."""
        if self.count == 1:
            return flag
        return bool(self.average(torch.tensor(float(flag), device=self.device)) > 0)


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, if it was used.

    Raises:
        BackendError: cuda is requested, and PyTorch cannot use it.
    """
    usable = torch.cuda.is_available()
    if device == "cuda" and not usable:
        raise BackendError(
            "device is cuda, but PyTorch finds no CUDA device here: use cpu or auto, or install "
            "a torch built for your GPU"
        )
    on_gpu = usable and device != "cpu"
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    place = torch.device("cpu")
    if on_gpu:
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    if count == 1:
        yield Processes(0, 1, place)
        return
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(rank, count, place)
        distributed.barrier()  # leaving earlier would cut off a process that still writes
    finally:
        distributed.destroy_process_group()
