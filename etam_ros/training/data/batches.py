"""Batches of clips; sample i of a run depends on (seed, i) only, not on the worker.

Letters: B clips, K objects of each, N = B * K rows, T frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from etam_ros.errors import TrainingError
from etam_ros.synthetic.samples import ClipSource, TrainingClip
from etam_ros.training.config import TrainingConfig
from etam_ros.transforms import IMAGE_MEAN, IMAGE_STD

ATTEMPTS: Final = 20
WINDOW: Final = 8
"""Batches that alternate when clips are reused."""
SIDE_STEP_PX: Final = 32
"""Step between the picture sizes of a run; every patch size divides it, and grids stay even."""
_SEED_BITS: Final = 62
_SHAPE_STREAM: Final = 0x51DE


@dataclass(frozen=True, eq=False)
class ClipBatch:
    """The data of one training step.

    Attributes:
        images: (B, T, S, S, 3) uint8.
        masks: (N, T, S, S) bool, visible on the first frame.
        after: where to resume after this batch: `first_sample` and `used` of `batches`.
    """

    images: Tensor
    masks: Tensor
    after: tuple[int, int] | None = None


@dataclass(frozen=True)
class StepShape:
    """The size of a step: B clips on each process, T frames, S."""

    clips: int
    frames: int
    side: int


class ClipDataset(Dataset[tuple[Tensor, Tensor]]):
    """Clips by number, T and S, each with K objects that can be prompted on its first frame."""

    def __init__(self, source: ClipSource, config: TrainingConfig) -> None:
        self.source, self.config = source, config

    def __getitem__(self, sample: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """(T, S, S, 3) uint8 pictures and (K, T, S, S) bool masks of a sample: number, T, S."""
        (index, frames, side), config = sample, self.config
        rng = np.random.default_rng((config.seed, index))
        for _ in range(ATTEMPTS):
            clip = self.source.clip(
                int(rng.integers(2**_SEED_BITS)),
                frames=frames * config.stretch,
                size=side,
            )
            start = int(rng.integers(frames * (config.stretch - 1) + 1))
            shown = slice(start, start + frames)
            clip = TrainingClip(clip.images[shown], clip.masks[:, shown])
            for step in (1, -1):  # if nothing is in view at first, play the clip backwards
                masks = _pick(clip, step, config, rng)
                if masks is not None:
                    images = np.ascontiguousarray(clip.images[::step])
                    return torch.from_numpy(images), torch.from_numpy(masks)
        raise TrainingError(
            f"{ATTEMPTS} clips in a row show no object on their first or last frame: expected "
            "clips with objects, check the files given by --data"
        )


def _pick(
    clip: TrainingClip, step: int, config: TrainingConfig, rng: np.random.Generator
) -> NDArray[np.bool_] | None:
    """K masks of objects in view on the first frame, or None; repeated if there are fewer than K.

    On stills, large ones are preferred, because people click on wholes rather than parts.
    """
    masks = clip.masks[:, ::step]
    area = masks[:, 0].sum(axis=(1, 2))
    candidates = np.flatnonzero(area >= max(1.0, config.smallest * masks[0, 0].size))
    if not len(candidates):
        return None
    order = rng.permutation(candidates)
    if len(clip.images) == 1:
        lots = rng.random(len(order)) ** (1.0 / np.sqrt(area[order]))  # weighted by their sides
        order = order[np.argsort(-lots)]
    return np.ascontiguousarray(masks[np.resize(order, config.objects)])


def batches(
    source: ClipSource,
    config: TrainingConfig,
    *,
    first_sample: int,
    steps: int,
    used: int = 0,
    rank: int = 0,
    processes: int = 1,
) -> Iterator[ClipBatch]:
    """The batches of one process, in order.

    Clips that are reused alternate within a window of several batches, so that consecutive steps
    get different ones.

    Args:
        source: source of the clips; copied into each worker.
        config: B, K, T, S, seed, workers, and how often each clip is used.
        first_sample: number of the first sample of the first window, over all processes.
        used: batches of the first window that were already used.
        rank, processes: index of this process, and number of processes.
    """
    window = WINDOW if config.reuse > 1 else 1
    uses = window * config.reuse
    windows = -(-(used + steps) // uses)
    workers = min(config.workers, steps)
    loader = iter(
        DataLoader(
            ClipDataset(source, config),
            batch_sampler=_numbers(config, first_sample, windows * window, rank, processes),
            num_workers=workers,
            collate_fn=_collate,
            worker_init_fn=quiet_worker,
            prefetch_factor=4 if workers else None,
            pin_memory=torch.cuda.is_available() and config.device != "cpu",
        )
    )
    first, left = first_sample, steps
    for _ in range(windows):
        held = list(islice(loader, window))
        after = first
        for _ in held:
            after += processes * shape_of(config, after).clips
        for use in range(used, min(uses, used + left)):
            images, masks = held[use % window]
            last = use + 1 == uses
            yield ClipBatch(images, masks, (after, 0) if last else (first, use + 1))
            left -= 1
        first, used = after, 0


def _numbers(
    config: TrainingConfig, first: int, count: int, rank: int, processes: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Number, T and S of every sample of one process's batches."""
    for _ in range(count):
        shape = shape_of(config, first)
        start = first + rank * shape.clips
        yield [(index, shape.frames, shape.side) for index in range(start, start + shape.clips)]
        first += processes * shape.clips


def shape_of(config: TrainingConfig, first_sample: int) -> StepShape:
    """The shape of the step that starts with a sample, the same in all processes.

    Steps of stills and of clips have the same number of pictures.
    """
    sides = range(config.size, max(config.largest, config.size) + 1, SIDE_STEP_PX)
    rng = np.random.default_rng((_SHAPE_STREAM, config.seed, first_sample))
    side = sides[int(rng.integers(len(sides)))]
    if rng.random() < config.stills:
        return StepShape(config.batch * config.frames, 1, side)
    return StepShape(config.batch, config.frames, side)


def _collate(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    images, masks = zip(*samples, strict=True)
    return torch.stack(images), torch.cat(masks)


def pictures_to_tensor(pictures: Tensor, size: int) -> Tensor:
    """Resize and normalise a batch for an image encoder, as `ImageLoader` does with one picture.

    (B, H, W, 3) uint8 RGB -> (B, 3, size, size) float32, by ImageNet's mean and deviation.
    """
    values = pictures.permute(0, 3, 1, 2).float().contiguous()  # (B, 3, H, W)
    if values.shape[-2:] != (size, size):
        values = functional.interpolate(values, size=(size, size), mode="bilinear", antialias=True)
    mean = torch.tensor(IMAGE_MEAN, device=values.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGE_STD, device=values.device).view(1, 3, 1, 1)
    return (values / 255.0 - mean) / std


def quiet_worker(_worker: int) -> None:
    """Limit each worker to one thread, because there are several workers."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
