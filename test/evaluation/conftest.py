"""Small videos with ground truth on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.media.label_png import encode_label_png

HW = (64, 96)


def truth(index: int) -> np.ndarray:
    """A square that moves, and one that comes on frame 2; some pixels are not judged."""
    labels = np.zeros(HW, np.uint8)
    labels[10:30, 5 + 4 * index : 25 + 4 * index] = 1
    if index >= 2:
        labels[40:60, 60:80] = 3
    labels[62:, :] = 255
    return labels


@pytest.fixture
def write_sequence() -> Callable[..., None]:
    """Write five frames and masks of those that are annotated."""

    def write(
        images: Path,
        masks: Path,
        annotated: range = range(5),
        labels: Callable[[int], np.ndarray] = truth,
    ) -> None:
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        rng = np.random.default_rng(0)
        for index in range(5):
            picture = rng.integers(0, 255, (*HW, 3), np.uint8)
            cv2.imwrite(str(images / f"{index:05d}.jpg"), picture)
            if index in annotated:
                (masks / f"{index:05d}.png").write_bytes(encode_label_png(labels(index)))

    return write
