"""Between source pixels and the network's square input: images, points, masks, logits.

The network sees the whole frame squashed to S x S, whatever its aspect: no letterbox.
Letters: H, W source height and width; S network input size; N objects; h, w feature grid.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from etam_ros.device_memory import upload

IMAGE_MEAN: Final = (0.485, 0.456, 0.406)
IMAGE_STD: Final = (0.229, 0.224, 0.225)
MASK_PRESENT: Final = 0.5


class _ThreadCounts:
    """How many threads torch and OpenCV take, while some of the process's threads want one.

    OpenCV has one setting for the process: the first to enter notes it, the last to leave puts
    it back. torch has one for each thread, but a thread that first asks for it gets what another
    has just set.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: dict[int, int] = {}  # threads inside, and how many torch gave each before
        self._torch, self._opencv = 1, 1  # what the first to enter found

    def enter(self) -> bool:
        """Take one thread from here on; False if this thread has only one already."""
        caller = threading.get_ident()
        with self._lock:
            if caller in self._inside:
                return False
            threads = torch.get_num_threads()
            if self._inside:
                threads = max(threads, self._torch)
            else:
                self._torch, self._opencv = threads, cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._inside[caller] = threads
            torch.set_num_threads(1)
        return True

    def leave(self) -> None:
        """Take as many threads as before."""
        with self._lock:
            torch.set_num_threads(self._inside.pop(threading.get_ident()))
            if not self._inside:
                cv2.setNumThreads(self._opencv)


_thread_counts: Final = _ThreadCounts()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run what a tracker does between the stages on the calling thread.

    These small operations of torch and OpenCV gain little from a second thread, and where other
    processes want the cores each of them would wait for the scheduler: 8 ms instead of 1. Any
    number of threads may be inside at a time; OpenCV keeps to one thread until all have left.
    """
    if not _thread_counts.enter():
        yield
        return
    try:
        yield
    finally:
        _thread_counts.leave()


class ImageLoader:
    """Resizes and normalises pictures for the image encoder, on the device that it is for.

    Bilinear with antialiasing, as the official image loader; untouched if it has the size already.

    Args:
        size: S, side of the network's input in pixels.
        device: where the results shall live.
        in_float: resize in float32 and not in bytes, for models that were taught so.
        antialias: False for models that were taught without.
    """

    def __init__(
        self, size: int, device: torch.device, *, in_float: bool, antialias: bool = True
    ) -> None:
        self._in_float = in_float
        self._antialias = antialias
        self._mean = torch.tensor(IMAGE_MEAN, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(IMAGE_STD, device=device).view(1, 3, 1, 1)
        self._values = torch.empty(1, 3, size, size, device=device)

    def load(self, image: NDArray[np.uint8]) -> Tensor:
        """Prepare one picture.

        Args:
            image: (H, W, 3) uint8, RGB.

        Returns:
            (1, 3, S, S) float32, ImageNet mean and deviation. The next call overwrites it: fresh
            memory costs as much as the arithmetic.
        """
        values = self._values
        pixels = upload(torch.from_numpy(np.ascontiguousarray(image)), values.device)
        pixels = pixels.permute(2, 0, 1)[None]  # (1, 3, H, W), channels last in memory
        if pixels.shape != values.shape:
            pixels = pixels.float() if self._in_float else pixels
            pixels = _reduce(pixels, values.shape[-1], self._antialias)
        return values.copy_(pixels).div_(255.0).sub_(self._mean).div_(self._std)


def pixels_of(network_input: Tensor) -> NDArray[np.uint8]:
    """What `ImageLoader` resized in bytes, from what it made of it: (1, 3, S, S) -> (S, S, 3)."""
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (IMAGE_MEAN, IMAGE_STD))
    values = network_input[0] * (255.0 * std) + 255.0 * mean
    return np.ascontiguousarray(values.round_().to(torch.uint8).permute(1, 2, 0).numpy())


def reduced(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) uint8 as the image encoder sees it: (S, S, 3), S the given size."""
    if image.shape[:2] == (size, size):
        return image
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    return np.ascontiguousarray(_reduce(pixels, size)[0].permute(1, 2, 0).numpy())


def _reduce(pixels: Tensor, size: int, antialias: bool = True) -> Tensor:
    """(1, C, H, W) -> (1, C, S, S) of the same type; bytes on a GPU come back as float32."""
    if pixels.dtype == torch.uint8 and pixels.device.type != "cpu":
        return reduce_as_bytes(pixels, size)
    return functional.interpolate(
        pixels, size=(size, size), mode="bilinear", align_corners=False, antialias=antialias
    )


def reduce_as_bytes(pixels: Tensor, size: int) -> Tensor:
    """What resizing bytes gives, where only floats can be resized: all but a few in a hundred
    values are equal.

    PyTorch on a CPU goes across and then down, and rounds after each; in float32 without that,
    values differ by 0.3 of 255 on average.

    Args:
        pixels: (1, C, H, W) uint8.
        size: S.

    Returns:
        (1, C, S, S) float32, whole numbers from 0 to 255.
    """
    values = pixels.float()
    for hw in ((pixels.shape[-2], size), (size, size)):
        values = functional.interpolate(
            values, size=hw, mode="bilinear", align_corners=False, antialias=True
        ).round_()
    return values


def points_to_network(
    points: list[tuple[float, float]], source_hw: tuple[int, int], size: int
) -> list[tuple[float, float]]:
    """Scale (x, y) from source pixels to the network's input: xy / (W, H) * S."""
    height, width = source_hw
    return [(x / width * size, y / height * size) for x, y in points]


def mask_to_network(mask: NDArray[np.bool_], size: int, device: torch.device) -> Tensor:
    """Resize a mask prompt to the network's input.

    Args:
        mask: (H, W) bool.
        size: S.
        device: where the result shall live.

    Returns:
        (1, 1, S, S) float32 of 0 and 1: bilinear with antialiasing, then >= 0.5.
    """
    values = torch.from_numpy(np.ascontiguousarray(mask)).to(device).float()[None, None]
    if values.shape[-2:] == (size, size):
        return values
    return (_reduce(values, size) >= MASK_PRESENT).float()


def logits_to_source(mask_logits: Tensor, out: NDArray[np.float32]) -> None:
    """Resize one object's low-resolution logits directly to the source frame, bilinearly.

    OpenCV is five times faster than torch on a CPU, and equal to rounding.

    Args:
        mask_logits: (4h, 4w) float32 on the host.
        out: (H, W) float32 on the host, overwritten.
    """
    height, width = out.shape
    cv2.resize(mask_logits.numpy(), (width, height), dst=out, interpolation=cv2.INTER_LINEAR)


def logits_to_source_on_device(mask_logits: Tensor, source_hw: tuple[int, int]) -> Tensor:
    """The same for N objects wherever they are: (N, 1, 4h, 4w) -> (N, H, W) float32."""
    return functional.interpolate(
        mask_logits, size=source_hw, mode="bilinear", align_corners=False
    )[:, 0]
