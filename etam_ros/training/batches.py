"""Clips by the batch: sample i of a run is a function of (seed, i), whoever makes it.

Letters: B clips, K objects of each, N = B * K rows, T frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from etam_ros.errors import TrainingError
from etam_ros.training.config import TrainingConfig
from etam_ros.training.samples import ClipSource, TrainingClip

MIN_SHARE: Final = 0.0008
"""Of the picture, that an object covers where it is first prompted: 13 pixels at 128."""
ATTEMPTS: Final = 20
_SEED_BITS: Final = 62


@dataclass(frozen=True, eq=False)
class ClipBatch:
    """images: (B, T, S, S, 3) uint8; masks: (N, T, S, S) bool, visible on the first frame."""

    images: Tensor
    masks: Tensor


class ClipDataset(Dataset[tuple[Tensor, Tensor]]):
    """Clips by number, each with K objects that can be prompted on its first frame."""

    def __init__(self, source: ClipSource, config: TrainingConfig) -> None:
        self.source, self.config = source, config

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """(T, S, S, 3) uint8 pictures and (K, T, S, S) bool masks of sample `index`."""
        rng = np.random.default_rng((self.config.seed, index))
        for _ in range(ATTEMPTS):
            seed = int(rng.integers(2**_SEED_BITS))
            clip = self.source.clip(seed, frames=self.config.frames, size=self.config.size)
            for step in (1, -1):  # where nothing is in view at first, time runs backwards
                masks = _pick(clip, step, self.config.objects, rng)
                if masks is not None:
                    images = np.ascontiguousarray(clip.images[::step])
                    return torch.from_numpy(images), torch.from_numpy(masks)
        raise TrainingError(
            f"{ATTEMPTS} clips in a row show no object on their first or last frame: expected "
            "clips with objects, check what --data names"
        )


def _pick(
    clip: TrainingClip, step: int, count: int, rng: np.random.Generator
) -> NDArray[np.bool_] | None:
    """`count` masks of objects that are in view on the first frame, or None; few are repeated."""
    masks = clip.masks[:, ::step]
    area = masks[:, 0].sum(axis=(1, 2))
    candidates = np.flatnonzero(area >= max(1.0, MIN_SHARE * masks[0, 0].size))
    if not len(candidates):
        return None
    order = rng.permutation(candidates)
    return np.ascontiguousarray(masks[np.resize(order, count)])


def batches(
    source: ClipSource,
    config: TrainingConfig,
    *,
    first_sample: int,
    steps: int,
    rank: int = 0,
    processes: int = 1,
) -> Iterator[ClipBatch]:
    """The batches of one process, in order.

    Args:
        source: of the clips; copied into each worker.
        config: B, K, T, S, seed and workers.
        first_sample: number of the first sample of the first step, over all processes.
        steps: how many batches.
        rank, processes: which of how many processes this one is.
    """
    size = config.batch
    numbers = [
        list(range(start, start + size))
        for start in (first_sample + (step * processes + rank) * size for step in range(steps))
    ]
    workers = min(config.workers, steps)
    loader = DataLoader(
        ClipDataset(source, config),
        batch_sampler=numbers,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_quiet_worker,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available() and config.device != "cpu",
    )
    for images, masks in loader:
        yield ClipBatch(images, masks)


def _collate(samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    images, masks = zip(*samples, strict=True)
    return torch.stack(images), torch.cat(masks)


def _quiet_worker(_worker: int) -> None:
    """One thread for each worker: they are many already."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
