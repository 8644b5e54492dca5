"""Loading images and drawing masks on a GPU: batched operations that the host only launches.

The results that the host needs are copied once at the end of a frame; it waits for nothing else.
Letters: N objects, n of them at a time, H, W source height and width, h = w feature grid, G side
of what is drawn: 4h, or network input size of a model that follows edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.device_memory import Download, upload
from etam_ros.tracking.masks.holes import fill_holes_on_device
from etam_ros.tracking.masks.measures import EMPTY_MASK, MeasuredMask
from etam_ros.tracking.publishing import Drawing
from etam_ros.transforms import ImageLoader, logits_to_source_on_device

LARGEST_CHUNK: Final = 16 * 2**20
"""Limit of the logits at source size that exist at a time: 64 MiB, 16 objects at 720p."""


class CudaPostprocessor:
    """A `Postprocessor` with the results of `CpuPostprocessor`, except for rounding.

    Args:
        image_size: S.
        device: of the stages.
    """

    def __init__(self, image_size: int, device: torch.device) -> None:
        self._device = device
        self._loader = ImageLoader(image_size, device, in_float=False)
        self.load = self._loader.load
        self.fill_holes = fill_holes_on_device

    def draw(
        self,
        object_ids: Sequence[int],
        mask_logits: Sequence[Tensor],
        scores: Sequence[Tensor],
        source_hw: tuple[int, int],
        config: TrackerConfig,
    ) -> Callable[[], Drawing]:
        """See `Postprocessor`. Launches everything, including the copy to the host."""
        if not object_ids:
            return partial(_blank, Download([torch.zeros(1, device=self._device)]), source_hw)
        ids = upload(torch.tensor(object_ids, dtype=torch.int32), self._device)  # (N,)
        label_image, kept = _paint(torch.cat(list(mask_logits)), ids, source_hw, config)
        chunks = kept or (label_image == some[:, None, None] for some in _chunks(ids, source_hw))
        counts = torch.cat([_count(masks) for masks in chunks])  # (N, H + W)
        download = Download(
            [counts, torch.stack(list(scores)), label_image.to(torch.int16), *kept]
        )
        return partial(_read, download, tuple(object_ids))


def _chunks(values: Tensor, source_hw: tuple[int, int]) -> tuple[Tensor, ...]:
    """Rows of N objects in chunks, which limit the memory used at source size."""
    return torch.split(values, max(1, LARGEST_CHUNK // (source_hw[0] * source_hw[1])))


def _paint(
    mask_logits: Tensor, ids: Tensor, source_hw: tuple[int, int], config: TrackerConfig
) -> tuple[Tensor, list[Tensor]]:
    """Assign each pixel to the object with the highest logit; of equals, to the earlier one.

    Args:
        mask_logits: (N, 1, G, G).
        ids: (N,) int32.
        source_hw: (H, W).
        config: threshold, and how overlaps are resolved.

    Returns:
        (H, W) int32 ids, 0 where no logit is above the threshold, and the unchanged masks in
        chunks (n, H, W) bool; no chunks if overlaps are resolved.
    """
    threshold, keep = config.mask_threshold, config.overlap == "keep"
    highest = torch.full(source_hw, threshold, device=ids.device)
    label_image = ids.new_zeros(source_hw)
    kept = []
    for some, some_ids in zip(
        _chunks(mask_logits, source_hw), _chunks(ids, source_hw), strict=True
    ):
        logits = logits_to_source_on_device(some, source_hw)  # (n, H, W)
        best, row = logits.max(dim=0)
        label_image = torch.where(best > highest, some_ids[row], label_image)
        highest = torch.maximum(highest, best)
        if keep:
            kept.append(logits > threshold)
    return label_image, kept


def _count(masks: Tensor) -> Tensor:
    """Pixel counts of the rows, then of the columns: (n, H, W) bool -> (n, H + W) int32."""
    ones = masks.int()  # once for both sums
    return torch.cat([ones.sum(dim=dim, dtype=torch.int32) for dim in (2, 1)], dim=1)


def _blank(download: Download, source_hw: tuple[int, int]) -> Drawing:
    """A frame without objects; the host waits for it, too, so that no frames queue up."""
    download.wait()
    return Drawing(np.zeros(source_hw, np.uint16), [], [])


def _read(download: Download, object_ids: tuple[int, ...]) -> Drawing:
    """Wait for a frame's copy, and cut the masks out of it."""
    counts, scores, labels, *kept = download.wait()
    label_image = labels.numpy().view(np.uint16).copy()  # the copy belongs to the caller
    planes = [plane.numpy() for chunk in kept for plane in chunk]
    height = label_image.shape[0]
    measures = _measure(counts[:, :height].numpy(), counts[:, height:].numpy())
    masks = []
    for row, (area, (x0, y0, x1, y1), (x, y)) in enumerate(measures):
        if area == 0:
            masks.append(EMPTY_MASK)
            continue
        crop = np.s_[y0:y1, x0:x1]
        mask = planes[row][crop].copy() if planes else label_image[crop] == object_ids[row]
        masks.append(MeasuredMask(area, (x0, y0, x1, y1), (x, y), mask))
    return Drawing(label_image, masks, [(present, iou) for present, iou in scores.tolist()])


def _measure(
    rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> Iterator[tuple[int, list[int], list[float]]]:
    """Area, box and centroid of N masks.

    Args:
        rows: (N, H) number of pixels in each row.
        columns: (N, W) number of pixels in each column.
    """
    areas = rows.sum(axis=1)
    first, last = zip(_extent(columns), _extent(rows), strict=True)  # (x, y) of N each
    boxes = np.stack((*first, *last), axis=1)
    sums = np.stack([side @ np.arange(side.shape[1]) for side in (columns, rows)], axis=1)
    centroids = sums / np.maximum(areas, 1)[:, None]
    return zip(areas.tolist(), boxes.tolist(), centroids.tolist(), strict=True)


def _extent(counts: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the first non-zero value, and one past the last: (N, L) -> twice (N,)."""
    used = counts > 0
    return used.argmax(axis=1), counts.shape[1] - used[:, ::-1].argmax(axis=1)
