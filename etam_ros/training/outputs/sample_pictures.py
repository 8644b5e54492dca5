"""A picture of a few clips of a step, with prompts, ground truth and the network's masks."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.drawing.contact_sheet import contact_sheet, write_jpeg
from etam_ros.runtime.stages import POINT_BOX_MAX, POINT_BOX_MIN
from etam_ros.training.data.batches import ClipBatch
from etam_ros.training.prompt_sampling import MASK, Click
from etam_ros.training.rollout_output import RolloutOutput

MAX_ROWS: Final = 8
TILE_PX: Final = 160
TINT: Final = (255, 159, 28)
TRUTH: Final = (255, 255, 255)
CLICK_COLOURS: Final = {0: (235, 40, 40), 1: (40, 220, 60)}
BOX_COLOUR: Final = (46, 163, 242)

Picture = NDArray[np.uint8]


def write_samples(path: Path, batch: ClipBatch, seen: RolloutOutput) -> None:
    """Draw rows of a batch, with frames side by side: masks tinted, truth outlined in white.

    Raises:
        SourceError: the picture cannot be written.
    """
    rows, frames = seen.mask_logits.shape[:2]
    per_clip = rows // len(batch.images)
    tiles = []
    for row in range(min(rows, MAX_ROWS)):
        for frame in range(frames):
            tile = _tile(
                batch.images[row // per_clip, frame].numpy(),
                batch.masks[row, frame].numpy(),
                seen.mask_logits[row, frame].float().cpu().numpy(),
            )
            scale = TILE_PX / batch.images.shape[2]
            _draw_prompt(tile, seen.prompts.get(frame, [[]] * rows)[row], scale)
            if frame == 0 and seen.kinds[row] == MASK:
                cv2.rectangle(tile, (0, 0), (TILE_PX - 1, TILE_PX - 1), TINT, 3)
            tiles.append(tile)
    write_jpeg(path, contact_sheet(tiles, columns=frames))


def _tile(image: Picture, truth: NDArray[np.bool_], mask_logits: NDArray[np.float32]) -> Picture:
    """One frame at TILE_PX: (S, S, 3), (S, S) and (4h, 4w)."""
    size = (TILE_PX, TILE_PX)
    tile = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    mask = cv2.resize(mask_logits, size, interpolation=cv2.INTER_LINEAR) > 0
    tile[mask] = (0.5 * tile[mask] + 0.5 * np.array(TINT)).astype(np.uint8)
    outline = cv2.resize(truth.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(outline, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, contours, -1, TRUTH, 1)
    return np.asarray(tile, np.uint8)


def _draw_prompt(tile: Picture, clicks: list[Click], scale: float) -> None:
    """Draw clicks as discs, green on the object and red elsewhere, and a box from its corners."""
    places = [(round((x + 0.5) * scale), round((y + 0.5) * scale)) for x, y, _ in clicks]
    labels = [label for *_, label in clicks]
    if POINT_BOX_MIN in labels:
        corners = (places[labels.index(POINT_BOX_MIN)], places[labels.index(POINT_BOX_MAX)])
        cv2.rectangle(tile, *corners, BOX_COLOUR, 2)
    for place, label in zip(places, labels, strict=True):
        if label in CLICK_COLOURS:
            cv2.circle(tile, place, 5, (20, 20, 24), -1, cv2.LINE_AA)
            cv2.circle(tile, place, 4, CLICK_COLOURS[label], -1, cv2.LINE_AA)
