"""Between the memory of the host and that of a device, without the host standing still.

On a CPU nothing is copied but what has to be packed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from etam_ros.errors import DeviceMemoryError


@contextmanager
def memory_errors_in_words() -> Iterator[None]:
    """Say what can be done where a device has no memory left; a decorator too.

    Raises:
        DeviceMemoryError: an allocation failed. What torch keeps in stock was given back.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error).split(". ", maxsplit=1)[0]
    else:
        return
    # Outside the handler: the error would keep all that the failed call had allocated.
    torch.cuda.empty_cache()
    raise DeviceMemoryError(
        f"the device has no memory left ({reason}): remove objects, lower tracker.max_objects or "
        "history.max_mib, or choose a smaller model"
    )


def upload(host: Tensor, device: torch.device) -> Tensor:
    """Copy to a device without waiting for it.

    The copy goes through page-locked memory, of which torch keeps a stock: it hands a piece out
    again once the copies from it are done. So `host` may be overwritten as soon as this returns.

    Args:
        host: any tensor of the host; on a CPU it is returned as it is.
        device: where the values shall live.
    """
    if device.type == "cpu":
        return host
    return host.pin_memory().to(device, non_blocking=True)


class Download:
    """Tensors on their way to the host, packed into one copy.

    Args:
        tensors: of one device, those with larger items first, so that each stays aligned.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._like = [(tensor.shape, tensor.dtype) for tensor in tensors]
        parts = [tensor.flatten().view(torch.uint8) for tensor in tensors]
        self._sizes = [len(part) for part in parts]
        self._host = torch.cat(parts)
        self._arrived: torch.cuda.Event | None = None
        device = self._host.device
        if device.type != "cpu":
            packed = self._host
            self._host = torch.empty(len(packed), dtype=torch.uint8, pin_memory=True)
            self._host.copy_(packed, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record(torch.cuda.current_stream(device))

    def wait(self) -> list[Tensor]:
        """The tensors on the host, in memory that is handed on when they are forgotten."""
        if self._arrived is not None:
            self._arrived.synchronize()
        parts = torch.split(self._host, self._sizes)
        return [
            part.view(dtype).view(shape)
            for part, (shape, dtype) in zip(parts, self._like, strict=True)
        ]
